import type { Director, Situation } from './director.ts'
import { Random } from './random.ts'

/** Chooses each step at random. */
export class RandomWalk implements Director {
  readonly prefix: number = 0
  readonly needsTrace: boolean = false
  readonly wantsRaces: boolean = false
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  choose({ enabled, count }: Situation): number {
    return enabled[count === 1 ? 0 : this.#random.below(count)] as number
  }

  way(_step: number, ways: number): number {
    return this.#random.below(ways)
  }
}

/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): random priorities, and `depth - 1` random steps at which the running
 * task's becomes the lowest. Finds a bug of that depth, in n tasks of k steps together, with a probability of at least 1 / (n k^(depth - 1)).
 */
export class PriorityWalk implements Director {
  readonly prefix: number = 0
  readonly needsTrace: boolean = false
  readonly wantsRaces: boolean = false
  readonly #random: Random
  readonly #priorities = new Map<number, number>()
  readonly #changes: number[]

  /** @param steps how many steps an execution may take */
  constructor(random: Random, depth: number, steps: number) {
    this.#random = random
    this.#changes = Array.from({ length: depth - 1 }, () => random.below(steps))
  }

  choose({ enabled, count, last, step }: Situation): number {
    const change = this.#changes.indexOf(step)
    // Below every priority that a task starts with, and the later of two changes lower.
    if (change >= 0 && last >= 0) this.#priorities.set(last, -1 - change)
    let best = enabled[0] as number
    for (let i = 1; i < count; i++) if (this.#priority(enabled[i] as number) > this.#priority(best)) best = enabled[i] as number
    return best
  }

  way(_step: number, ways: number): number {
    return this.#random.below(ways)
  }

  #priority(task: number): number {
    let priority = this.#priorities.get(task)
    if (priority === undefined) this.#priorities.set(task, (priority = this.#random.next()))
    return priority
  }
}

/**
 * Tasks take turns of `turn` steps each, in the order of their numbers. Those that retry are made to undo each other's work, where no walk at random would go on doing so: a loop without an end is met in
 * one execution.
 */
export class Lockstep implements Director {
  readonly prefix: number = 0
  readonly needsTrace: boolean = false
  readonly wantsRaces: boolean = false
  readonly #turn: number
  #taken = 0

  constructor(turn: number) {
    this.#turn = turn
  }

  choose({ enabled, count, last }: Situation): number {
    const able = enabled.slice(0, count)
    if (this.#taken < this.#turn && able.includes(last)) {
      this.#taken++
      return last
    }
    this.#taken = 1
    return able.find((task) => task > last) ?? (able[0] as number)
  }

  way(): number {
    return 0
  }
}
