import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { diff } from '../dist/diff.js'
import { measure, median } from './measure.js'

const ROUNDS = 7
/** Operations that do not count: compilers are at work. */
const WARM_UP = 150_000

/**
 * Runs all programs of a folder, comparison included.
 *
 * @param {string[]} folders
 * @returns {Promise<{ programs: number, operations: number, rate: number, first: number }>} operations per second of CPU time: the median of the rounds, and the first one, in which compilers are at work
 */
export async function runPrograms(folders) {
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort().map((name) => join(folder, name)),
  )
  if (files.length === 0) throw new Error(`${folders.join(', ')}: expected recorded programs (.jsonl, .jsonl.gz), got none`)
  Error.stackTraceLimit = 0 // as `mmu-notifier diff` does
  const rates = []
  let report
  do {
    const { result, time } = await measure(() => diff(files))
    if (result.mismatches.length > 0) throw new Error(`${result.mismatches.length} mismatches`)
    rates.push((result.operations / time) * 1e6)
    report = result
  } while (rates.length < ROUNDS + WARM_UP / report.operations)
  const { programs, operations } = report
  return { programs, operations, rate: median(rates.slice(-ROUNDS)), first: rates[0] }
}
