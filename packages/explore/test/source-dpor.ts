import { Dpor } from '../src/dpor.ts'
import type { Node } from '../src/depth-first.ts'
import type { Situation } from '../src/director.ts'
import type { Event } from '../src/event.ts'
import { isInitial } from '../src/wakeup-tree.ts'

/** The same without wakeup trees: it may run into executions whose every task sleeps. Source-DPOR, same paper. */
export class SourceDpor extends Dpor<{ readonly backtrack: number[]; done: number }> {
  protected override endFor(later: Event): number {
    const position = this.trace.positionOf(later)
    return position < 0 ? this.trace.length : position
  }

  protected override plan({ plan }: Node<{ readonly backtrack: number[] }>, sequence: Event[]): void {
    const initials = sequence.flatMap((event, at) => (isInitial(sequence, at) ? [event.task] : []))
    if (!initials.some((task) => plan.backtrack.includes(task))) plan.backtrack.push(Math.min(...initials))
  }

  protected override first(_situation: Situation, awake: readonly number[], sleep: Event[]): Node<{ readonly backtrack: number[]; done: number }> | undefined {
    const [chosen] = awake
    return chosen === undefined ? undefined : { chosen, ways: 0, sleep, plan: { backtrack: [chosen], done: 1 } }
  }

  protected override hasWays(): void {
    throw new Error('source-DPOR knows no choices of data')
  }

  protected override again({ plan, sleep }: Node<{ readonly backtrack: number[]; done: number }>): number {
    for (;;) {
      const task = plan.backtrack[plan.done]
      if (task === undefined) return -1
      plan.done++
      if (!sleep.some((event) => event.task === task)) return task
    }
  }
}
