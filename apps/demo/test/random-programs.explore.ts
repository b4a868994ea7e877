import { explore } from '@mmu-notifier/explore'
import { expect, test } from 'vitest'
import { describeProgram, randomProgram } from './random-programs.ts'
import { ALL, scenarioOf } from './small-programs.ts'

/** Programs with more than one trace that have to be explored to the end, each within so many executions. Those that are not are samples, and have to hold all the same. */
const [WANTED, BUDGET] = ALL ? [100, 5_000] : [50, 250]
const SEEDS = 400

test('small random programs with both forms on one address space: no STALE, COVER, UAF or leak', { timeout: ALL ? 3_600_000 : 300_000 }, async () => {
  const exhausted: string[] = []
  const sampled: number[] = []
  const byV6: number[] = []
  for (let seed = 1; seed <= SEEDS && exhausted.length < WANTED; seed++) {
    const program = randomProgram(seed)
    const { verdict, report, traces = 0 } = await explore(scenarioOf(program), { strategy: 'dpor', budget: BUDGET })
    if (verdict === 'failed') throw new Error(`seed ${seed}: ${describeProgram(program)}\n${report}`)
    if (verdict === 'sampled') sampled.push(seed)
    else if (traces > 1) {
      exhausted.push(`${seed} (${traces})`)
      if (Object.values(program.tasks).flat().some(({ name }) => name.includes(' 1:'))) byV6.push(seed)
    }
  }
  console.log(`exhausted, with their traces, are the seeds ${exhausted.join(', ')}\nonly sampled: ${sampled.join(', ')}`)
  expect(exhausted.length).toBe(WANTED)
  expect(byV6.length, 'programs in which the v6 form works').toBeGreaterThan(WANTED / 2)
})
