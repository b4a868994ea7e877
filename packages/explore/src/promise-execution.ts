import { Execution } from './execution.ts'
import type { ExploredTask } from './explored-task.ts'
import type { Outcome } from './director.ts'

const DONE = Promise.resolve()
/** Turns of the microtask queue: more than it takes a few functions to return to whoever awaits them. */
const PATIENCE = 32

/**
 * Runs `async` functions as they are, on native promises. A task that starts an operation hands control to the next one itself: one promise for each step.
 */
export class PromiseExecution extends Execution {
  #resolve: ((outcome: Outcome) => void) | undefined
  readonly #dispatch = (): void => { this.#next() }
  readonly #capture = (resolve: (value: unknown) => void, reject: (error: unknown) => void): void => {
    const task = this.running as ExploredTask
    task.resolve = resolve
    task.reject = reject
  }

  /** Runs all tasks that were spawned, and those that they spawn, to their end or to a failure. */
  runTasks(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.tasksRun()
      this.#next()
    })
  }

  /** A timer has fired, and none does while an execution goes on by itself. @returns the outcome when tasks do not run, so that the execution does not end by it */
  stalled(): Outcome | undefined {
    const failure = this.foreign(this.running)
    if (!this.#resolve) return { end: 'failed', failure, blocked: [] }
    this.fail(failure)
    return undefined
  }

  protected override ended(): void {
    if (this.outcome) this.#resolve?.(this.outcome)
    this.#resolve = undefined
  }

  protected override suspend(): Promise<unknown> {
    const done = new Promise(this.#capture)
    // Not at once: what the task still does up to its await is done in its own name.
    let awaits: Promise<void> = DONE
    if (this.parts.patient) for (let turn = 0; turn < PATIENCE; turn++) awaits = awaits.then(nothing)
    void awaits.then(this.#dispatch)
    return done
  }

  protected override settled(value: unknown, threw: boolean): Promise<unknown> {
    return threw ? Promise.reject(value) : Promise.resolve(value)
  }

  protected override begin(task: ExploredTask): void {
    const body = async (): Promise<void> => task.body()
    const { witness } = this.parts
    ;(witness ? witness.enter(task, body) : body()).then(
      () => { this.#exit(task, undefined, false) },
      (error: unknown) => { this.#exit(task, error, true) },
    )
  }

  #exit(task: ExploredTask, error: unknown, threw: boolean): void {
    this.exit(task, error, threw)
    this.#next()
  }

  /** Hands control to the next task. */
  #next(): void {
    while (this.outcome === undefined) {
      if (this.unbegun) {
        this.beginNext()
        return
      }
      const task = this.pick()
      if (task === undefined) return
      const value = this.take(task)
      if (this.running === undefined) continue
      if (this.threw) task.reject?.(value)
      else task.resolve?.(value)
      return
    }
  }
}

function nothing(): void {
  // a turn
}
