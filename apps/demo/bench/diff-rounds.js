/** A process of `programs.js`: compares the programs that it is sent, over and over, and says what that took. */
import process from 'node:process'
import { readProgram } from '@mmu-notifier/recording'
import { diffProgram } from '../dist/diff.js'
import { cpu, spin } from './measure.js'

Error.stackTraceLimit = 0 // as `mmu-notifier diff` does

/** @param {readonly string[]} files @param {number} times */
async function compare(files, times) {
  let operations = 0
  let reading = 0
  let running = 0
  let spinning = 0
  let fastest = Infinity
  for (let i = 0; i < times; i++) {
    for (const file of files) {
      const start = cpu()
      const program = await readProgram(file)
      const read = cpu()
      const report = await diffProgram(program)
      if (report.mismatches.length > 0) throw new Error(`${file}: ${report.mismatches.length} mismatches`)
      reading += read - start
      running += cpu() - read
      operations += report.operations
      const { time } = spin()
      spinning += time
      fastest = Math.min(fastest, time)
    }
  }
  return { operations, reading, running, spinning: spinning / (times * files.length), fastest }
}

process.on('message', async (/** @type {{ files: string[], times: number }} */ { files, times }) => process.send?.(await compare(files, times)))
