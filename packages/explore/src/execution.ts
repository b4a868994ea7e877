import { createKernel, type Kernel, type LockOrder, type Operation, type Scheduler, type SchedulerParts, type Target, type Task } from '@mmu-notifier/kernel'
import type { Director, Outcome } from './engine.ts'
import { AssumptionFailed, failureOf, type Failure } from './failure.ts'
import type { Identities } from './identities.ts'
import { nondeterminism, type Recorder } from './recorder.ts'
import { stalemate } from './stalemate.ts'
import { ExploredTask, type Waiter } from './task.ts'
import { item } from './item.ts'

const DONE = Promise.resolve()

/** What an execution is given. */
export interface ExecutionParts {
  readonly recorder: Recorder
  readonly director: Director
  readonly taskIds: Identities
  readonly lockOrder: LockOrder | false
  readonly maxSteps: number
  /** Watches every start of an operation; throws what is wrong with it. */
  readonly witness?: Witness | undefined
}

/** Looks on where an operation starts. */
export interface Witness {
  /** Runs the body of a task. */
  enter<T>(task: Task, body: () => T): T
  /** The code that runs now starts an operation in the name of `task`. @returns what is wrong with that */
  starts(task: Task, operation: Operation): string | undefined
}

/**
 * The scheduler of one execution, on native promises. A task that starts an operation hands control to the next one itself: it asks the director,
 * performs the operation of the chosen task and resolves its promise.
 */
export class Execution implements Scheduler {
  readonly kernel: Kernel
  readonly #parts: ExecutionParts
  readonly #kernelParts: SchedulerParts
  readonly #main: ExploredTask
  readonly #starting: ExploredTask[] = []
  /** Started and not finished, by id. */
  #live: ExploredTask[] = []
  readonly #finished: ExploredTask[] = []
  #running: ExploredTask | undefined
  #performing: Operation | undefined
  #assumed = false
  /** Set while tasks run; called once. */
  #end: ((outcome: Outcome) => void) | undefined
  readonly #dispatch = (): void => { this.#next() }

  constructor(parts: ExecutionParts) {
    this.#parts = parts
    let kernelParts: SchedulerParts | undefined
    this.kernel = createKernel({
      lockOrder: parts.lockOrder,
      scheduler: (given) => {
        kernelParts = given
        return this
      },
    })
    this.#kernelParts = kernelParts as unknown as SchedulerParts
    this.#main = new ExploredTask(0, 'main', () => DONE, undefined, this, this.#kernelParts)
  }

  /** Runs all tasks that were spawned, and those that they spawn, to their end or to a failure. */
  runTasks(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#end = (outcome) => {
        this.#end = undefined
        this.#running = undefined
        resolve(outcome)
      }
      this.#next()
    })
  }

  /** Ends the execution in a failure; the first one counts. */
  fail(failure: Failure): void {
    this.#end?.({ end: 'failed', failure, blocked: [] })
  }

  get current(): Task {
    return this.#running ?? this.#main
  }

  get tasks(): readonly Task[] {
    return [this.#main, ...this.#starting, ...this.#live]
  }

  spawn(name: string, body: () => Promise<void>): Task {
    const maker = this.#running ?? this.#main
    const count = maker.children++
    const label = maker === this.#main ? name : `${maker.name}/${name}.${count}`
    const id = this.#parts.taskIds.of(maker.id, count, label) + 1
    const task = new ExploredTask(id, label, body, maker.lastEvent, this, this.#kernelParts)
    this.#starting.push(task)
    this.#kernelParts.trace('sched:spawn', task)
    return task
  }

  step<T>(operation: Operation<T>): Promise<T> {
    if (this.#performing) {
      const { kind, object } = this.#performing
      throw new TypeError(`task ${this.current.name} starts ${operation.kind} ${operation.object} inside ${kind} ${object}, which is one step`)
    }
    if (!this.#end) return this.#alone(operation)
    const task = this.#running
    const wrong = this.#misuse(operation)
    if (!task || wrong) {
      this.fail({ code: 'MISSING_AWAIT', message: `MISSING_AWAIT  ${wrong ?? 'an operation of no task'}`, task: task?.name, error: undefined })
      return new Promise(() => undefined)
    }
    const done = new Promise<T>((resolve, reject) => {
      task.waiter = { operation, resolve: resolve as (value: unknown) => void, reject }
    })
    task.couldRun = undefined
    task.enabledBy = undefined
    // Not at once: what the task still does up to its await is done in its own name.
    void DONE.then(this.#dispatch)
    return done
  }

  external<T>(_promise: PromiseLike<T>): Promise<T> {
    return Promise.reject(new TypeError(`task ${this.current.name} awaits an external promise: a checker decides over marked operations only`))
  }

  idle(): Promise<void> {
    return Promise.reject(new TypeError(`task ${this.current.name} waits for all others to be idle: under a checker, join them`))
  }

  condResched(): Promise<void> {
    return DONE
  }

  cpuRelax(): Promise<void> {
    const task = this.#running
    if (!task) return DONE
    const { recorder } = this.#parts
    const relax = recorder.turnOf(task)
    return this.step({
      kind: 'relax',
      object: relax.name,
      target: task,
      access: 'none',
      enabled: () => recorder.canRelax(relax),
      perform: () => {
        recorder.relaxed(relax)
        task.turn = relax.index + 1
      },
    })
  }

  created(target: Target): void {
    this.#parts.recorder.created(target, this.#running ?? this.#main)
  }

  touched(target: Target, access: 'read' | 'write'): void {
    if (!this.#end || !this.#running) return
    if (this.#performing) this.#parts.recorder.touched(target, access)
    else {
      const race = this.#parts.recorder.plain(this.#running, target, access)
      if (race) this.fail(race)
    }
  }

  /** A task asked `what`, and not the scheduler. */
  strayed(what: string): void {
    if (this.#running) this.fail(nondeterminism(this.#running, `calls ${what}`))
  }

  /** A timer has fired, and none does while an execution goes on by itself. @returns the failure when it is not a task's, so that the execution does not end by it */
  stalled(): Failure | undefined {
    const task = this.#running
    const after = task?.lastEvent
    const where = after ? `after ${after.kind} ${after.name}` : 'before its first operation'
    const message = `FOREIGN  ${task ? `task ${task.name}` : 'setup or check'} awaits something that is no marked operation, ${where}: a checker cannot decide when it goes on`
    const failure = { code: 'FOREIGN', message, task: task?.name, error: undefined }
    if (!this.#end) return failure
    this.fail(failure)
    return undefined
  }

  #misuse(operation: Operation): string | undefined {
    const task = this.#running
    const what = `${operation.kind} ${operation.object}`
    if (!task) return `${what} is started outside of every task: a promise was not awaited`
    const wrong = this.#parts.witness?.starts(task, operation)
    if (wrong) return wrong
    if (!task.waiter) return undefined
    const { kind, object } = task.waiter.operation
    return `task ${task.name} starts ${what} while its ${kind} ${object} is pending: an await is missing`
  }

  /** Performs an operation of setup or check, beside which nothing runs. */
  #alone<T>(operation: Operation<T>): Promise<T> {
    try {
      if (!operation.enabled()) throw new TypeError(`setup and check run alone and cannot wait, as ${operation.kind} ${operation.object} would`)
      return Promise.resolve(this.#perform(operation))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Hands control to the next task. */
  #next(): void {
    if (!this.#end) return
    const starting = this.#starting.shift()
    if (starting) {
      this.#begin(starting)
      return
    }
    const { recorder, director, maxSteps } = this.#parts
    const enabled = this.#enabled()
    const step = recorder.steps
    if (enabled.length === 0) this.#over()
    else if (step >= maxSteps) {
      const task = this.#running?.name
      const message = `LIVELOCK  no end after ${maxSteps} steps: tasks make each other try again for ever, or maxSteps is too low`
      this.fail({ code: 'LIVELOCK', message, task, error: undefined })
    } else {
      const last = recorder.lastEvent?.task ?? -1
      const chosen = recorder.repeating ? (item(recorder.trace.events, step)).task : director.choose({ trace: recorder.trace, enabled, last, step })
      const task = this.#live.find(({ id }) => id - 1 === chosen)
      if (chosen < 0) this.#end({ end: 'abandoned', blocked: [] })
      else if (task?.couldRun && task.waiter) this.#take(task, task.waiter)
      else this.fail(nondeterminism(undefined, `task ${task?.name ?? chosen} can take no step at step ${step}, as it could in another execution with the same choices`))
    }
  }

  #enabled(): number[] {
    const enabled: number[] = []
    for (const task of this.#live) {
      const can = task.waiter?.operation.enabled() ?? false
      if (can && task.couldRun === false) task.enabledBy = this.#parts.recorder.lastEvent
      task.couldRun = can
      if (can) enabled.push(task.id - 1)
    }
    return enabled
  }

  /** Runs a task up to its first operation. That is no event: if what it does there mattered to others, it would be a reported race. */
  #begin(task: ExploredTask): void {
    this.#running = task
    const at = this.#live.findIndex(({ id }) => id > task.id)
    this.#live.splice(at < 0 ? this.#live.length : at, 0, task)
    const { witness } = this.#parts
    const body = async (): Promise<void> => task.body()
    ;(witness ? witness.enter(task, body) : body()).then(
      () => { this.#exit(task) },
      (error: unknown) => {
        if (!(error instanceof AssumptionFailed)) this.fail(failureOf(error, task.name))
        this.#assumed = true
        this.#exit(task)
      },
    )
  }

  #exit(task: ExploredTask): void {
    if (!this.#end) return
    if (task.waiter) {
      const { kind, object } = task.waiter.operation
      const message = `MISSING_AWAIT  task ${task.name} ends while its ${kind} ${object} is pending`
      this.fail({ code: 'MISSING_AWAIT', message, task: task.name, error: undefined })
      return
    }
    task.finished = true
    this.#live = this.#live.filter((other) => other !== task)
    this.#finished.push(task)
    this.#kernelParts.trace('sched:exit', task)
    this.#next()
  }

  /** Performs the operation that `task` waits with. */
  #take(task: ExploredTask, { operation, resolve, reject }: Waiter): void {
    const { recorder } = this.#parts
    task.waiter = undefined
    this.#running = task
    recorder.begin(task, operation)
    let settle: () => void
    try {
      const value = this.#perform(operation)
      settle = () => { resolve(value) }
    } catch (error) {
      settle = () => { reject(error) }
    }
    const failure = recorder.end(task, operation)
    if (failure) this.fail(failure)
    else settle()
  }

  #perform<T>(operation: Operation<T>): T {
    this.#performing = operation
    try {
      return operation.perform()
    } finally {
      this.#performing = undefined
    }
  }

  /** No task can take a step. */
  #over(): void {
    const { recorder } = this.#parts
    this.#running = undefined
    const blocked = this.#live.flatMap((task) => {
      if (!task.waiter) return []
      recorder.begin(task, task.waiter.operation)
      return [recorder.eventOf(task, task.waiter.operation)]
    })
    if (this.#assumed) this.#end?.({ end: 'assumed', blocked })
    else if (this.#live.length > 0) this.#end?.({ end: 'failed', failure: stalemate(this.#live, [...this.#live, ...this.#finished]), blocked })
    else {
      const holder = this.#finished.find((task) => task.held.length > 0)
      if (!holder) this.#end?.({ end: 'passed', blocked })
      else {
        const message = `LEAK  task ${holder.name} has ended and holds ${holder.held.map((lock) => lock.lockClass).join(', ')}`
        this.#end?.({ end: 'failed', failure: { code: 'LEAK', message, task: holder.name, error: undefined }, blocked })
      }
    }
  }
}
