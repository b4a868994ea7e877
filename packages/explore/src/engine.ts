import type { Event } from './event.ts'
import type { Failure } from './failure.ts'
import type { Reach } from './reach.ts'
import type { Trace } from './trace.ts'

/** What a strategy may look at when it is asked who goes next. */
export interface Situation {
  readonly trace: Trace
  /** The tasks that can take a step, in ascending order; never empty. */
  readonly enabled: readonly number[]
  /** The task that took the last step, or -1. */
  readonly last: number
  /** How many steps the execution has taken: the length of the trace, unless it repeats a prefix. */
  readonly step: number
}

/** Makes the choices of one execution. */
export interface Director {
  /** How many events of the trace this execution repeats: their tasks were chosen before, and the engine holds it to what they did. */
  readonly prefix: number
  /** @returns one of the enabled tasks, or a negative number to abandon the execution */
  choose(situation: Situation): number
  /** True to be told of races. */
  readonly wantsRaces: boolean
  /** The event at `position`, beyond the prefix, was performed. @param races the positions of the events that it races with */
  performed?(position: number, races: readonly number[]): void
}

export interface Outcome {
  /** `abandoned` by the director; `assumed` away: an `assume` did not hold, so the execution counts for nothing. */
  readonly end: 'passed' | 'failed' | 'abandoned' | 'assumed'
  readonly failure?: Failure
  /** What each task that has to wait for ever would have done next. */
  readonly blocked: readonly Event[]
}

/**
 * Runs a scenario once, from the beginning, under a director. Strategies know nothing of how a task is suspended and resumed; an engine knows
 * nothing of why a task was chosen.
 */
export interface Engine {
  readonly trace: Trace
  readonly reach: Reach
  /** Some task has ended a turn of a retry loop, see `Kernel.cpuRelax`. */
  readonly relaxes: boolean
  /** The names of the tasks, by number. */
  readonly taskNames: readonly string[]
  run(director: Director): Promise<Outcome>
}
