import { LockOrder } from '@mmu-notifier/kernel'
import type { Director, Engine, Outcome } from './engine.ts'
import { Execution, type Witness } from './execution.ts'
import { failureOf } from './failure.ts'
import { guard } from './guard.ts'
import { Identities } from './identities.ts'
import { Reach } from './reach.ts'
import { Recorder, type Memory } from './recorder.ts'
import type { Scenario } from './scenario.ts'
import { Trace } from './trace.ts'
import { Watchdog } from './watchdog.ts'

export interface EngineOptions {
  /** Check the order of lock classes, over all executions. */
  readonly lockdep: boolean
  /** A failed trylock counts as a write, as it does in Nidhugg: a coarser equivalence. */
  readonly trylockWrites: boolean
  /** Steps of one execution before it is called a livelock. */
  readonly maxSteps: number
}

/** Runs a scenario's `async` functions as they are. */
export class PromiseEngine<State> implements Engine, Memory {
  readonly trace: Trace
  readonly lockOrder: LockOrder = new LockOrder()
  readonly objectIds: Identities = new Identities()
  readonly reach: Reach
  relaxes = false
  witness: Witness | undefined
  readonly #scenario: Scenario<State>
  readonly #options: EngineOptions
  readonly #taskIds = new Identities()
  readonly #watchdog = new Watchdog()

  /** @param reach what is known from another exploration of the same scenario */
  constructor(scenario: Scenario<State>, options: EngineOptions, reach: Reach = new Reach()) {
    this.reach = reach
    this.#scenario = scenario
    this.#options = options
    this.trace = new Trace(Object.keys(scenario.tasks).length)
  }

  get taskNames(): readonly string[] {
    return this.#taskIds.names
  }

  async run(director: Director): Promise<Outcome> {
    const { lockdep, maxSteps, trylockWrites } = this.#options
    this.trace.truncate(director.prefix)
    const recorder = new Recorder(this, director, trylockWrites)
    const execution = new Execution({ recorder, director, taskIds: this.#taskIds, lockOrder: lockdep && this.lockOrder, maxSteps, witness: this.witness })
    const release = guard((what) => { execution.strayed(what) })
    try {
      return await new Promise<Outcome>((resolve) => {
        this.#watchdog.watch(() => {
          const failure = execution.stalled()
          if (failure) resolve({ end: 'failed', failure, blocked: [] })
        })
        void this.#complete(execution).then(resolve)
      })
    } finally {
      release()
      this.#watchdog.rest()
    }
  }

  async #complete(execution: Execution): Promise<Outcome> {
    const { tasks, setup, check } = this.#scenario
    try {
      const { kernel } = execution
      const state = await setup(kernel)
      for (const [name, body] of Object.entries(tasks)) kernel.spawn(name, () => body(state, kernel))
      const outcome = await execution.runTasks()
      if (outcome.end === 'passed') await check?.(state, kernel)
      return outcome
    } catch (error) {
      return { end: 'failed', failure: failureOf(error, undefined), blocked: [] }
    }
  }
}
