import type { Director, Situation } from './engine.ts'
import { item } from './item.ts'

/** A switch that the default would not have made: at `step` (from 0), the task with this name goes on. */
export interface Deviation {
  readonly step: number
  readonly task: string
}

/** The default: a task goes on while it can, then the one with the lowest number that can. */
function byDefault({ enabled, last }: Situation): number {
  return enabled.includes(last) ? last : (item(enabled, 0))
}

/** Follows a schedule; where it asks for what cannot be done, and beyond its end, the default. */
export class Replay implements Director {
  readonly prefix: number = 0
  readonly wantsRaces: boolean = false
  readonly #taskNames: readonly string[]
  readonly #deviations: ReadonlyMap<number, string>
  /** What came of it: the deviations that could be followed and were ones. */
  readonly followed: Deviation[] = []

  constructor(taskNames: readonly string[], deviations: readonly Deviation[]) {
    this.#taskNames = taskNames
    this.#deviations = new Map(deviations.map(({ step, task }) => [step, task]))
  }

  choose(situation: Situation): number {
    const asked = this.#deviations.get(situation.step)
    const usual = byDefault(situation)
    const chosen = situation.enabled.find((task) => this.#taskNames[task] === asked) ?? usual
    if (chosen !== usual && asked !== undefined) this.followed.push({ step: situation.step, task: asked })
    return chosen
  }
}

/** Repeats an execution choice by choice, and notes where it departs from the default. */
export class Retrace implements Director {
  readonly prefix: number = 0
  readonly wantsRaces: boolean = false
  readonly #choices: readonly string[]
  readonly #taskNames: readonly string[]
  readonly deviations: Deviation[] = []

  /** @param choices the names of the tasks, by step */
  constructor(taskNames: readonly string[], choices: readonly string[]) {
    this.#taskNames = taskNames
    this.#choices = choices
  }

  choose(situation: Situation): number {
    const { step, enabled } = situation
    const name = this.#choices[step]
    const usual = byDefault(situation)
    const chosen = name === undefined ? usual : (enabled.find((task) => this.#taskNames[task] === name) ?? -1)
    if (chosen !== usual && name !== undefined) this.deviations.push({ step, task: name })
    return chosen
  }
}
