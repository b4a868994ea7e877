import { enabledOf, isEnabled, taskOf, wayOf, type Choice, type Director, type Situation } from './director.ts'
import { item } from './item.ts'

/** A switch that the default would not have made: at `step` (from 0), the task with this name goes on. */
export interface Deviation {
  readonly step: number
  readonly task: string
  /** Which of several ways its step takes, when it is not the first: of the sleepers of a queue, by their tasks' numbers, the one to be woken. */
  readonly way?: number
}

/** What an execution chose at one step. */
export type Step = Required<Pick<Deviation, 'task' | 'way'>>

/** The names behind choices. */
export function named(choices: readonly Choice[], taskNames: readonly string[]): Step[] {
  return choices.map((choice) => ({ task: taskNames[taskOf(choice)] ?? '?', way: wayOf(choice) }))
}

/** The default: a task goes on while it can, then the one with the lowest number that can, and in the first way. */
function byDefault(situation: Situation): number {
  return isEnabled(situation, situation.last) ? situation.last : item(situation.enabled, 0)
}

/** Follows a schedule; where it asks for what cannot be done, and beyond its end, the default. */
export class Replay implements Director {
  readonly prefix: number = 0
  readonly needsTrace: boolean = false
  readonly wantsRaces: boolean = false
  readonly #taskNames: readonly string[]
  readonly #deviations: ReadonlyMap<number, Deviation>
  /** What came of it: the deviations that could be followed and were ones. */
  readonly followed: Deviation[] = []
  /** The steps at which it was done what was asked for, if only by default. */
  readonly #done = new Set<number>()
  #chosen = ''
  #deviates = false

  constructor(taskNames: readonly string[], deviations: readonly Deviation[]) {
    this.#taskNames = taskNames
    this.#deviations = new Map(deviations.map((deviation) => [deviation.step, deviation]))
  }

  /** What could not be done. */
  get missed(): Deviation[] {
    return [...this.#deviations.values()].filter(({ step }) => !this.#done.has(step))
  }

  choose(situation: Situation): number {
    const { step } = situation
    const asked = this.#deviations.get(step)?.task
    const usual = byDefault(situation)
    const chosen = asked === undefined ? usual : (enabledOf(situation).find((task) => this.#taskNames[task] === asked) ?? usual)
    this.#deviates = chosen !== usual
    this.#chosen = this.#taskNames[chosen] ?? '?'
    if (this.#chosen === asked) this.#done.add(step)
    if (this.#deviates) this.followed.push({ step, task: this.#chosen })
    return chosen
  }

  way(step: number, ways: number): number {
    const asked = this.#deviations.get(step)
    if ((asked?.way ?? 0) >= ways) this.#done.delete(step)
    const way = asked?.task === this.#chosen && asked.way !== undefined && asked.way < ways ? asked.way : 0
    if (way > 0) {
      if (this.#deviates) this.followed.pop()
      this.followed.push({ step, task: this.#chosen, way })
    }
    return way
  }
}

/** Repeats an execution choice by choice, and notes where it departs from the default. */
export class Retrace implements Director {
  readonly prefix: number = 0
  readonly needsTrace: boolean = false
  readonly wantsRaces: boolean = false
  readonly #steps: readonly Step[]
  readonly #taskNames: readonly string[]
  readonly deviations: Deviation[] = []

  constructor(taskNames: readonly string[], steps: readonly Step[]) {
    this.#taskNames = taskNames
    this.#steps = steps
  }

  choose(situation: Situation): number {
    const { step } = situation
    const asked = this.#steps[step]
    const usual = byDefault(situation)
    if (!asked) return usual
    const { task, way } = asked
    const chosen = this.#taskNames[usual] === task ? usual : (enabledOf(situation).find((other) => this.#taskNames[other] === task) ?? -1)
    if (chosen !== usual || way > 0) this.deviations.push({ step, task, ...(way > 0 && { way }) })
    return chosen
  }

  way(step: number, ways: number): number {
    return Math.min(this.#steps[step]?.way ?? 0, ways - 1)
  }
}
