import { checksNothing, type Exploration } from './exploration.ts'
import { explore, type ExploreOptions } from './explore.ts'
import type { Scenario } from './scenario.ts'
import { now } from './watchdog.ts'

/** The `it` or `test` of vitest, of `node:test`, of any runner that takes a name, options with a `timeout` in milliseconds, and a function. */
export type TestFunction = (name: string, options: { timeout: number }, body: () => Promise<void>) => unknown

export interface ExploringOptions extends ExploreOptions {
  /** The scenario is to fail, with this code: the test passes only then. */
  readonly fails?: string
  /** What is enough. `exhausted`, the default for `portfolio` and `dpor`, also fails a test that has merely found nothing within its budget. */
  readonly atLeast?: 'exhausted' | 'sampled'
  /** Milliseconds. Default 60,000. Shortly before, the exploration ends, and the test says how far it came. */
  readonly timeout?: number
}

/** Adds `explore` to a runner's test function: a test that explores a scenario, and whose failure message is the report. */
export function exploring(it: TestFunction): { readonly explore: <State>(name: string, scenario: Scenario<State>, options?: ExploringOptions) => void } {
  return {
    explore(name, scenario, options = {}) {
      const { timeout = 60_000 } = options
      it(name, { timeout }, async () => {
        const timeLimit = timeout - Math.min(timeout / 10, 1000)
        const began = now()
        const complaint = judge(await explore(scenario, { timeLimit, ...options }), options, now() - began >= timeLimit ? timeout : undefined)
        if (complaint !== undefined) throw new ExplorationFailed(complaint)
      })
    },
  }
}

/** @param late the milliseconds that were over @returns what is wrong with it, or undefined */
function judge(exploration: Exploration, { fails, atLeast, strategy = 'portfolio', shard }: ExploringOptions, late: number | undefined): string | undefined {
  const { verdict, counterexample, report, executions } = exploration
  if (fails !== undefined) {
    if (verdict === 'failed') return counterexample?.code === fails ? undefined : `expected a failure ${fails}, got\n${report}`
    // Another shard may have it.
    return shard && verdict === 'sampled' ? undefined : `expected a failure ${fails}, got\n${report}`
  }
  if (verdict === 'failed') return report
  if (checksNothing(exploration)) return `${report}\nNothing was checked: \`assume\` drops every execution`
  const enough = atLeast ?? (strategy === 'portfolio' || strategy === 'dpor' ? 'exhausted' : 'sampled')
  if (verdict === 'exhausted' || enough === 'sampled') return undefined
  const limit = late === undefined ? 'the budget' : `the timeout of ${late} ms, which was over`
  return `${report}\nNothing fails in ${executions} executions, but there are more: raise ${limit}, make the scenario smaller, or ask for \`atLeast: 'sampled'\``
}

/** Its message is the report; a stack would only hide it. */
class ExplorationFailed extends Error {
  override readonly name: string = 'ExplorationFailed'

  constructor(report: string) {
    super(`\n${report}`)
    this.stack = `${this.name}: ${this.message}`
  }
}
