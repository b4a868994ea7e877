#!/usr/bin/env node
/** What a shell says of a process that SIGPIPE ended. */
const SIGPIPE = 128 + 13

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code === 'EPIPE') process.exit(SIGPIPE) // who reads has gone, as `head` does
    console.error(`mmu-notifier: what it printed is lost: ${error.message}`)
    process.exit(1)
  })
}

let program
try {
  program = await import('../dist/main.js')
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  console.error('mmu-notifier: not built yet: run `npm run build` first')
  process.exit(2)
}
process.exitCode = await program.main(process.argv.slice(2))
