import type { Director, Situation } from './director.ts'
import type { Random } from './random.ts'
import type { Reach } from './reach.ts'
import { PriorityWalk, RandomWalk } from './walks.ts'

/** A survey ends with so many walks that taught nothing. */
const QUIET = 64
/** Of the walks by priority. */
const DEPTH = 5

/**
 * Walks that look for what operations touch, before a reduction begins again with what it has learned: depth first, it would come upon the rest late, and each time
 * in vain. One half are random, the other half by priority.
 */
export class Survey implements Director {
  readonly prefix: number = 0
  readonly needsTrace: boolean = true
  readonly wantsRaces: boolean = false
  readonly #random: Random
  readonly #reach: Reach
  #walk: Director
  #walks = 0
  /** What was known when the last survey ended, and when the last walk that taught something did. */
  #known: number
  #version: number
  #left = 0

  /** @param reach the engine's; what it knows already needs no survey */
  constructor(random: Random, reach: Reach) {
    this.#random = random
    this.#reach = reach
    this.#known = this.#version = reach.version
    this.#walk = new RandomWalk(random)
  }

  /** Prepares the next walk. @param longest steps of the longest execution @returns false when nothing was learned since the last survey, or this one is over */
  next(longest: number): boolean {
    const { version } = this.#reach
    if (version === this.#known) return false
    if (version !== this.#version) {
      this.#version = version
      this.#left = QUIET
    }
    if (this.#left-- === 0) {
      this.#known = version
      return false
    }
    this.#walk = this.#walks++ % 2 === 0 ? new PriorityWalk(this.#random, DEPTH, longest) : new RandomWalk(this.#random)
    return true
  }

  choose(situation: Situation): number {
    return this.#walk.choose(situation)
  }

  way(step: number, ways: number): number {
    return this.#walk.way(step, ways)
  }
}
