import { UsageError } from './errors.ts'
import type { HmmTest } from './hmm-tests/hmm-test.ts'
import { HMM_TESTS } from './hmm-tests/index.ts'
import { runTest, type Outcome, type Run } from './hmm-tests/run.ts'
import { tapLine, tapPlan, tapTotals } from './hmm-tests/tap.ts'
import { DEVICES, FORMS, type SelftestOptions } from './selftest-options.ts'

/** `mmu-notifier selftest`. @returns the exit status: 1 when a test fails */
export async function selftestCommand(names: readonly string[], { form, device, thp, json = false }: SelftestOptions): Promise<number> {
  const tests = names.length === 0 ? HMM_TESTS : names.map(testOf)
  const runs = chosen(FORMS, form).flatMap((form) => chosen(DEVICES, device).flatMap((device) => tests.map((test): Run => ({ test, form, device, thp }))))
  const outcomes: Outcome[] = []
  if (!json) console.log(tapPlan(runs.length))
  for (const [i, run] of runs.entries()) {
    const outcome = await runTest(run)
    outcomes.push(outcome)
    if (!json) console.log(tapLine(i + 1, outcome))
  }
  console.log(json ? JSON.stringify({ tests: outcomes }, undefined, 2) : tapTotals(outcomes))
  return outcomes.some(({ result }) => result === 'fail') ? 1 : 0
}

function chosen<T extends string>(all: readonly T[], choice: T | 'both'): readonly T[] {
  return choice === 'both' ? all : [choice]
}

function testOf(name: string): HmmTest {
  const test = HMM_TESTS.find((other) => other.name === name)
  if (test) return test
  throw new UsageError(`selftest ${name}: there is no such test; they are ${HMM_TESTS.map((other) => other.name).join(', ')}`)
}
