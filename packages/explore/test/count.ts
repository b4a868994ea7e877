import { DepthFirst } from '../src/depth-first.ts'
import type { Choice } from '../src/director.ts'
import { OptimalDpor } from '../src/dpor.ts'
import { predict } from '../src/event.ts'
import { Exhaustive } from '../src/exhaustive.ts'
import { Engine } from '../src/engine.ts'
import type { Knowledge } from '../src/knowledge.ts'
import type { Prediction } from '../src/reversal.ts'
import type { Scenario } from '../src/scenario.ts'
import { SourceDpor } from './source-dpor.ts'

export interface Counts {
  /** Complete executions: without those that `assume` dropped. */
  executions: number
  /** Executions that ended because every task slept. */
  blocked: number
  assumed: number
  failed: Map<string, number>
  /** Distinct Mazurkiewicz traces among the complete ones. */
  traces: Set<number>
}

/** `backwards`: optimal, from the other end of the tree. */
export type Algorithm = 'optimal' | 'backwards' | 'source' | 'sleep' | 'all' | { readonly preemptions: number }

class Backwards extends OptimalDpor {
  protected override free(awake: readonly Choice[]): Choice | undefined {
    return awake.at(-1)
  }
}

/** Explores all of a scenario, failures included. */
export async function count<State>(
  scenario: Scenario<State>,
  algorithm: Algorithm = 'optimal',
  options: { prediction?: Prediction; trylockWrites?: boolean; known?: Knowledge; limit?: number } = {},
): Promise<Counts> {
  const engine = new Engine(scenario, { lockdep: false, trylockWrites: options.trylockWrites ?? false, maxSteps: 10_000, kind: undefined }, options.known)
  const { trace } = engine
  const strategy: DepthFirst<unknown> =
    algorithm === 'optimal' || algorithm === 'backwards'
      ? new (algorithm === 'optimal' ? OptimalDpor : Backwards)(trace, engine.reach, { prediction: options.prediction ?? predict })
      : algorithm === 'source'
        ? new SourceDpor(trace, engine.reach, { prediction: options.prediction ?? predict })
        : new Exhaustive(trace, typeof algorithm === 'object' ? { sleepSets: false, ...algorithm } : { sleepSets: algorithm === 'sleep' })
  const counts: Counts = { executions: 0, blocked: 0, assumed: 0, failed: new Map(), traces: new Set() }
  let runs = 0
  while (strategy.next()) {
    const outcome = await engine.run(strategy)
    strategy.finished(outcome)
    if (outcome.end === 'passed' || outcome.end === 'failed') {
      counts.traces.add(trace.hash())
      const code = outcome.failure?.code
      if (code !== undefined) counts.failed.set(code, (counts.failed.get(code) ?? 0) + 1)
    } else if (outcome.end === 'assumed') counts.assumed++
    if (++runs >= (options.limit ?? Infinity)) break
  }
  counts.executions = strategy.complete
  counts.blocked = strategy.blocked
  return counts
}
