import { DepthFirst, type Node } from './depth-first.ts'
import { isEnabled, taskOf, type Choice, type Situation } from './director.ts'
import type { Event } from './event.ts'
import type { Trace } from './trace.ts'
import { item } from './item.ts'
import type { Split } from './shard.ts'

interface Rest {
  /** To be chosen here later. */
  readonly choices: Choice[]
}

export interface ExhaustiveOptions {
  /** Leave out what sleep sets show to be equivalent. Without them every interleaving is executed. */
  readonly sleepSets: boolean
  /** At most so many switches away from a task that could go on; no limit by default. Not with sleep sets: they may lead to the bounded schedule. */
  readonly preemptions?: number
  readonly split?: Split
}

/** Every interleaving, or every one with few preemptions (Musuvathi, Qadeer, Iterative Context Bounding, PLDI 2007). */
export class Exhaustive extends DepthFirst<Rest> {
  readonly wantsRaces: boolean = false
  readonly #preemptions: number
  /** By step: preemptions before it. */
  readonly #spent: number[] = [0]
  /** True once the limit has kept a task from being chosen. */
  bounded = false

  constructor(trace: Trace, { sleepSets, preemptions = Infinity, split }: ExhaustiveOptions) {
    super(trace, sleepSets, split)
    this.#preemptions = preemptions
  }

  override choose(situation: Situation): number {
    const { last, step } = situation
    const chosen = super.choose(situation)
    this.#spent[step + 1] = (item(this.#spent, step)) + (chosen !== last && isEnabled(situation, last) ? 1 : 0)
    return chosen
  }

  protected override first(situation: Situation, awake: readonly Choice[], sleep: Event[]): Node<Rest> | undefined {
    const { last, step } = situation
    const going = awake.filter((choice) => taskOf(choice) === last)
    const others = awake.filter((choice) => taskOf(choice) !== last)
    let choices = [...going, ...others]
    if (isEnabled(situation, last) && (item(this.#spent, step)) >= this.#preemptions) {
      if (others.length > 0) this.bounded = true
      choices = going
    }
    const chosen = choices.shift()
    return chosen === undefined ? undefined : { chosen, sleep, plan: { choices } }
  }

  protected override again({ plan }: Node<Rest>): Choice {
    return plan.choices.shift() ?? -1
  }
}
