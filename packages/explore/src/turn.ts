import type { Situation } from './director.ts'
import type { ExploredTask } from './explored-task.ts'

/** What a director is shown at each step. An engine has one for all its executions; what lives as long as one execution only is none of its business. */
export class Turn implements Situation {
  readonly enabled: number[] = []
  count = 0
  last = -1
  step = 0
  #live: readonly ExploredTask[] = []

  /** A new execution begins. @param live its tasks that have begun and not finished, by id, whatever they will be */
  reset(live: readonly ExploredTask[]): void {
    this.last = -1
    this.#live = live
  }

  ways(at: number): number {
    const id = (this.enabled[at] as number) + 1
    const { operation, target } = this.#live.find((task) => task.id === id) as ExploredTask
    return operation?.ways === undefined || target === undefined ? 1 : operation.ways(target)
  }
}
