/** The process of `compare.js`: two checkouts compare the programs that it is sent, in turn, and it says what each took. */
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { cpu } from './measure.js'

Error.stackTraceLimit = 0 // as `mmu-notifier diff` does

const versions = []
for (const checkout of process.argv.slice(2)) {
  const module = (/** @type {string} */ path) => pathToFileURL(join(checkout, path)).href
  const { readProgram } = await import(module('packages/recording/dist/index.js'))
  const { diffProgram } = await import(module('apps/demo/dist/diff.js'))
  versions.push({ readProgram, diffProgram })
}
let first = 0

/** @param {readonly string[]} files @param {number} times */
async function compare(files, times) {
  const costs = versions.map(() => ({ reading: 0, running: 0 }))
  let operations = 0
  for (let i = 0; i < times; i++) {
    for (const file of files) {
      first ^= 1
      for (const turn of [first, first ^ 1]) {
        const { readProgram, diffProgram } = versions[turn]
        const start = cpu()
        const program = await readProgram(file)
        const read = cpu()
        const report = await diffProgram(program)
        costs[turn].reading += read - start
        costs[turn].running += cpu() - read
        if (report.mismatches.length > 0) throw new Error(`${file}: ${report.mismatches.length} mismatches in ${process.argv[2 + turn]}`)
        if (turn === 0) operations += report.operations
      }
    }
    first ^= files.length % 2 === 0 ? 1 : 0 // so that each program is first in every other round
  }
  return { operations, here: costs[0], there: costs[1] }
}

process.on('message', async (/** @type {{ files: string[], times: number }} */ { files, times }) => process.send?.(await compare(files, times)))
