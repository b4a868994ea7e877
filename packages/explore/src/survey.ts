import { taskOf, wayOf, type Choice, type Director, type Situation } from './director.ts'
import { item } from './item.ts'
import type { Random } from './random.ts'
import type { Reach } from './reach.ts'
import { PriorityWalk, RandomWalk } from './walks.ts'

/** A survey ends with so many walks that taught nothing, or with one for so many executions before it: what a reduction that begins again would cost. */
const QUIET = 64
const EXECUTIONS = 4
/** Of the walks by priority. */
const DEPTH = 5
/** One walk in so many does not begin like one that taught something. */
const ANEW = 8

/**
 * Walks that look for what operations touch, before a reduction begins again with what it has learned: depth first, it would come upon the rest late, and each time
 * in vain. One half are random, the other half by priority. What is learned late is rarely alone: the rest of it is to be met where the first was, so most walks begin like an execution that
 * taught something, up to some step.
 */
export class Survey implements Director {
  readonly prefix: number = 0
  readonly needsTrace: boolean = true
  readonly wantsRaces: boolean = false
  readonly #random: Random
  readonly #reach: Reach
  #walk: Director
  /** What was known when the last survey ended, and when the last walk that taught something did. */
  #known: number
  #version: number
  #left = 0
  /** What the executions chose that taught something, by step. */
  readonly #taught: (readonly Choice[])[] = []
  /** The walk makes the first so many of these choices. */
  #begin: readonly Choice[] = []
  #length = 0

  /** @param reach the engine's; what it knows already needs no survey */
  constructor(random: Random, reach: Reach) {
    this.#random = random
    this.#reach = reach
    this.#known = this.#version = reach.version
    this.#walk = new RandomWalk(random)
  }

  /**
   * Prepares the next walk.
   * @param longest steps of the longest execution
   * @param executions how many there have been
   * @param last what the last one chose
   * @returns false when nothing was learned since the last survey, or this one is over
   */
  next(longest: number, executions: number, last: () => readonly Choice[]): boolean {
    const { version } = this.#reach
    if (version === this.#known) return false
    if (version !== this.#version) {
      this.#version = version
      this.#left = Math.max(QUIET, Math.floor(executions / EXECUTIONS))
      this.#taught.push(last())
    }
    if (this.#left-- === 0) {
      this.#known = version
      return false
    }
    const random = this.#random
    this.#walk = random.below(2) === 0 ? new PriorityWalk(random, DEPTH, longest) : new RandomWalk(random)
    this.#length = 0
    if (random.below(ANEW) > 0) {
      // The later ones rather than the earlier: they are where something is left to learn.
      const { length } = this.#taught
      this.#begin = item(this.#taught, Math.max(random.below(length), random.below(length)))
      this.#length = random.below(this.#begin.length + 1)
    }
    return true
  }

  choose(situation: Situation): number {
    const { step } = situation
    return step < this.#length ? taskOf(item(this.#begin, step)) : this.#walk.choose(situation)
  }

  way(step: number, ways: number): number {
    return step < this.#length ? wayOf(item(this.#begin, step)) : this.#walk.way(step, ways)
  }
}
