import { Dpor } from '../src/dpor.ts'
import { isAsleep, type Node } from '../src/depth-first.ts'
import { choicesOf, taskOf, type Choice, type Situation } from '../src/director.ts'
import type { Event } from '../src/event.ts'
import { isInitial } from '../src/wakeup-tree.ts'

interface Plan {
  readonly backtrack: number[]
  done: number
  /** All there are from here. */
  readonly choices: readonly Choice[]
  /** The ways in which the step of the last task of `backtrack` that was begun is still to be explored. */
  rest: readonly Choice[]
}

/** The same without wakeup trees: it may run into executions whose every task sleeps. Source-DPOR, same paper. */
export class SourceDpor extends Dpor<Plan> {
  protected override endFor(later: Event): number {
    const position = this.trace.positionOf(later)
    return position < 0 ? this.trace.length : position
  }

  protected override plan({ plan }: Node<Plan>, sequence: Event[]): void {
    const initials = sequence.flatMap((event, at) => (isInitial(sequence, at) ? [event.task] : []))
    if (!initials.some((task) => plan.backtrack.includes(task))) plan.backtrack.push(Math.min(...initials))
  }

  protected override first(situation: Situation, awake: readonly Choice[], sleep: Event[]): Node<Plan> | undefined {
    const [chosen] = awake
    if (chosen === undefined) return undefined
    const task = taskOf(chosen)
    return { chosen, sleep, plan: { backtrack: [task], done: 1, choices: choicesOf(situation), rest: awake.filter((choice) => choice !== chosen && taskOf(choice) === task) } }
  }

  protected override again({ plan, sleep }: Node<Plan>): Choice {
    for (;;) {
      const [chosen] = plan.rest
      plan.rest = plan.rest.slice(1)
      if (chosen !== undefined) return chosen
      const task = plan.backtrack[plan.done]
      if (task === undefined) return -1
      plan.done++
      plan.rest = plan.choices.filter((choice) => taskOf(choice) === task && !isAsleep(choice, sleep))
    }
  }
}
