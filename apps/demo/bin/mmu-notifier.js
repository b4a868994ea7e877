#!/usr/bin/env node
let program
try {
  program = await import('../dist/main.js')
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  console.error('mmu-notifier: not built yet: run `npm run build` first')
  process.exit(2)
}
process.exitCode = await program.main(process.argv.slice(2))
