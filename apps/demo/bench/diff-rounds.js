/** A process of `programs.js`: compares the programs that it is sent, over and over, and says what that took. */
import process from 'node:process'
import { diff } from '../dist/diff.js'
import { measure } from './measure.js'

Error.stackTraceLimit = 0 // as `mmu-notifier diff` does

/** @param {readonly string[]} files @param {number} times */
async function compare(files, times) {
  let report
  for (let i = 0; i < times; i++) {
    report = await diff(files)
    if (report.mismatches.length > 0) throw new Error(`${report.mismatches.length} mismatches`)
  }
  return report
}

process.on('message', async (/** @type {{ files: string[], times: number }} */ { files, times }) => {
  const { result, time } = await measure(() => compare(files, times))
  process.send?.({ operations: result?.operations, time })
})
