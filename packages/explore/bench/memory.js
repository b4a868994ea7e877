/** How much memory it takes to exhaust a program with many traces: of a process that does nothing else. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { explore } from '@mmu-notifier/explore'
import { BenchProcess } from '../../../tools/bench-process.js'

/**
 * lastzero(n), from Nidhugg: writer j of n sets a[j] to a[j - 1] + 1; the reader looks for the last zero.
 *
 * @param {number} n
 * @returns {import('@mmu-notifier/explore').Scenario<import('@mmu-notifier/kernel').Cell<number>[]>}
 */
function lastzero(n) {
  /** @type {Record<string, (a: import('@mmu-notifier/kernel').Cell<number>[]) => Promise<void>>} */
  const tasks = {
    async reader(a) {
      for (let i = n; (await a[i].read()) !== 0; ) i--
    },
  }
  for (let j = 1; j <= n; j++) tasks[`writer${j}`] = async (a) => a[j].write((await a[j - 1].read()) + 1)
  return { setup: (kernel) => Array.from({ length: n + 1 }, (_, i) => kernel.cell(`a[${i}]`, 0)), tasks }
}

/** @param {number} n @returns {Promise<{ traces: number, megabytes: number, seconds: number }>} */
export function exhaust(n) {
  return new BenchProcess(new URL(import.meta.url), [String(n)]).answer()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { traces } = await explore(lastzero(Number(process.argv[2])), { strategy: 'dpor', budget: 1e7 })
  const { maxRSS, userCPUTime } = process.resourceUsage()
  process.send?.({ traces, megabytes: maxRSS / 1024, seconds: userCPUTime / 1e6 })
}
