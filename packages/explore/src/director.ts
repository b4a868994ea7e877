import type { Event } from './event.ts'
import type { Failure } from './failure.ts'

/** What a strategy may look at when it is asked who goes next. It is the engine's, and changes: keep no reference to it. */
export interface Situation {
  /** The tasks that can take a step, in ascending order: the first {@link count} of these. */
  readonly enabled: readonly number[]
  /** At least 1. */
  readonly count: number
  /** The task that took the last step, or -1. */
  readonly last: number
  /** How many steps the execution has taken. */
  readonly step: number
  /** In how many ways the one at that place among {@link enabled} can take its step, see `Operation.ways`. */
  ways(at: number): number
}

export function enabledOf({ enabled, count }: Situation): number[] {
  return enabled.slice(0, count)
}

/** Every task that can take a step, in every way. */
export function choicesOf(situation: Situation): Choice[] {
  const { enabled, count } = situation
  const choices: Choice[] = []
  for (let i = 0; i < count; i++) {
    const ways = situation.ways(i)
    for (let way = 0; way < ways; way++) choices.push(choiceOf(enabled[i] ?? 0, way))
  }
  return choices
}

export function isEnabled({ enabled, count }: Situation, task: number): boolean {
  for (let i = 0; i < count; i++) if (enabled[i] === task) return true
  return false
}

/** Makes the choices of one execution. */
export interface Director {
  /** How many events of the trace this execution repeats: their tasks were chosen before, and the engine holds it to what they did. */
  readonly prefix: number
  /** True when it looks at the trace; else the engine may leave the trace alone, which is several times faster. */
  readonly needsTrace: boolean
  /** True to be told of races. */
  readonly wantsRaces: boolean
  /** @returns one of the enabled tasks, or a negative number to abandon the execution */
  choose(situation: Situation): number
  /** The chosen task's step can go in so many ways (see `Operation.ways`), at least 2. @returns one of 0 to ways - 1 */
  way(step: number, ways: number): number
  /** The event at `position`, beyond the prefix, was performed. @param races the positions of the events that it races with */
  performed?(position: number, races: readonly number[]): void
}

export interface Outcome {
  /** `abandoned` by the director; `assumed` away: an `assume` did not hold, so the execution counts for nothing. */
  readonly end: 'passed' | 'failed' | 'abandoned' | 'assumed'
  readonly failure?: Failure
  /** What each task that has to wait, at the end or where the execution was abandoned, would have done next. */
  readonly blocked: readonly Event[]
}

/** One choice of an execution, as a small integer: a task by its number, below 2^20, and the way in which its step went, below 2^10. */
export type Choice = number

const TASK = 0xfffff

export function choiceOf(task: number, way: number): Choice {
  return (way << 20) | task
}

export function taskOf(choice: Choice): number {
  return choice & TASK
}

export function wayOf(choice: Choice): number {
  return choice >> 20
}
