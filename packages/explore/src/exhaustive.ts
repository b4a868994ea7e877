import { DepthFirst, type Node } from './depth-first.ts'
import { choiceOf, isEnabled, taskOf, type Choice, type Situation } from './director.ts'
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

  protected override first(situation: Situation, awake: readonly number[], sleep: Event[]): Node<Rest> | undefined {
    const { last, step } = situation
    let tasks = [...awake]
    if (isEnabled(situation, last) && (item(this.#spent, step)) >= this.#preemptions) {
      if (tasks.length > 1) this.bounded = true
      tasks = tasks.filter((task) => task === last)
    } else if (tasks.includes(last)) tasks = [last, ...tasks.filter((task) => task !== last)]
    const chosen = tasks.shift()
    return chosen === undefined ? undefined : { chosen, ways: 0, sleep, plan: { choices: tasks } }
  }

  protected override again({ plan }: Node<Rest>): Choice {
    return plan.choices.shift() ?? -1
  }

  protected override hasWays({ chosen, ways, plan }: Node<Rest>): void {
    const task = taskOf(chosen)
    plan.choices.unshift(...Array.from({ length: ways - 1 }, (_, i) => choiceOf(task, i + 1)))
  }
}
