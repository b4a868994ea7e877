import {
  AGAIN,
  createKernel,
  objectOf,
  type Kernel,
  type Operation,
  type Scheduler,
  type SchedulerParts,
  type Target,
} from '@mmu-notifier/kernel'
import { choiceOf, taskOf, wayOf, type Choice, type Director, type Outcome, type Situation } from './director.ts'
import type { Event } from './event.ts'
import { ExploredTask } from './explored-task.ts'
import { AssumptionFailed, failureOf, type Failure } from './failure.ts'
import type { ExecutionParts, Witness } from './execution-parts.ts'
import type { Identities } from './identities.ts'
import type { Clash, RaceCheck } from './races.ts'
import { nondeterminism, type Recorder } from './recorder.ts'
import { RELAX } from './relax.ts'
import { stalemate } from './stalemate.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] }

const NEVER = new Promise<never>(() => undefined)
const LIVELOCK = 'tasks make each other try again for ever, or maxSteps is too low'

/**
 * The scheduler of one execution: asks the director whose step is next and performs it. How a task is suspended where it starts an operation, and how it goes on, is
 * the business of the subclasses.
 */
export abstract class Execution implements Scheduler {
  readonly kernel: Kernel
  /** The choices that were made, by step. */
  readonly made: Choice[] = []
  /** Something happened that can only be judged with the events, or with the race check, at hand. */
  needs: 'events' | 'races' | undefined
  protected outcome: Outcome | undefined
  protected running: ExploredTask | undefined
  protected readonly witness: Witness | undefined
  /** Tasks run; before and after that, setup and check do, alone. */
  #exploring = false
  /** Tasks have run to a failure: what is left of them must not go on. */
  #broken = false
  readonly #recorder: Recorder | undefined
  readonly #races: RaceCheck | undefined
  #primitives = 0
  readonly #director: Director
  readonly #given: readonly Choice[]
  readonly #taskIds: Identities
  readonly #maxSteps: number
  readonly #trace: SchedulerParts['trace']
  readonly #main: ExploredTask
  #starting: ExploredTask[] = []
  /** Started and not finished, by id. */
  readonly #live: ExploredTask[] = []
  readonly #finished: ExploredTask[] = []
  #performing: Operation | undefined
  #performingOn: Target | undefined
  #assumed = false
  readonly #situation: Mutable<Situation> = { enabled: [], ways: [], count: 0, last: -1, step: 0 }
  /** Beside the situation's `enabled`: the tasks. */
  readonly #enabled: ExploredTask[] = []

  constructor({ director, choices, recorder, races, taskIds, lockOrder, maxSteps, witness }: ExecutionParts) {
    this.#director = director
    this.#given = choices
    this.#recorder = recorder
    this.#races = races
    this.#taskIds = taskIds
    this.#maxSteps = maxSteps
    this.witness = witness
    let trace: SchedulerParts['trace'] | undefined
    this.kernel = createKernel({
      lockOrder,
      scheduler: (parts) => {
        trace = parts.trace
        return this
      },
    })
    this.#trace = trace as unknown as SchedulerParts['trace']
    this.#main = new ExploredTask(0, 'main', () => Promise.resolve(), undefined, this)
  }

  /** Runs `task` to its first operation. */
  protected abstract begin(task: ExploredTask): void

  /** Lets `task`, which awaits an operation, go on with what came of it. */
  protected abstract resume(task: ExploredTask, value: unknown, threw: boolean): void

  /** The task that runs has started its operation. @returns what it awaits */
  protected abstract suspend(task: ExploredTask): Promise<unknown>

  /** What is to be awaited in place of an operation that is done, or has failed, already. */
  protected abstract settled(value: unknown, threw: boolean): Promise<unknown>

  /** The outcome is known. */
  protected abstract ended(): void

  /** Tasks take steps from here on. */
  protected tasksRun(): void {
    this.#exploring = true
  }

  /** Tasks have ended well, and check runs. */
  checks(): void {
    this.outcome = undefined
  }

  protected end(outcome: Outcome): void {
    if (!this.#exploring) return
    this.#exploring = false
    this.#broken = outcome.end !== 'passed'
    this.running = undefined
    this.outcome = outcome
    this.ended()
  }

  /** Ends the execution in a failure; the first one counts. */
  fail(failure: Failure): void {
    this.end({ end: 'failed', failure, blocked: [] })
  }

  get current(): ExploredTask {
    return this.running ?? this.#main
  }

  get tasks(): readonly ExploredTask[] {
    return [this.#main, ...this.#starting, ...this.#live]
  }

  spawn(name: string, body: () => Promise<void>): ExploredTask {
    const maker = this.running ?? this.#main
    const count = maker.children++
    const label = maker === this.#main ? name : `${maker.name}/${name}.${count}`
    const id = this.#taskIds.of(maker.id, count, label) + 1
    const task = new ExploredTask(id, label, body, maker.lastEvent ?? maker.spawnedAfter, this)
    this.#races?.spawned(id, maker.id)
    this.#starting.push(task)
    this.#trace('sched:spawn', task)
    return task
  }

  step<On extends Target, A, B, Result>(operation: Operation<On, A, B, Result>, target: On, a: A, b: B): Promise<Result> {
    if (this.#performing !== undefined && this.#performingOn !== undefined) {
      const inside = `${this.#performing.kind} ${objectOf(this.#performing, this.#performingOn)}`
      throw new TypeError(`task ${this.current.name} starts ${operation.kind} ${objectOf(operation, target)} inside ${inside}, which is one step`)
    }
    if (this.#broken) return NEVER
    if (!this.#exploring) return this.#alone(operation, target, a, b) as Promise<Result>
    const task = this.running
    const wrong = !task || task.operation || this.witness ? this.#misuse(operation, target) : undefined
    if (!task || wrong !== undefined) {
      this.fail({ code: 'MISSING_AWAIT', message: `MISSING_AWAIT  ${wrong ?? 'an operation of no task'}`, task: task?.name, error: undefined, site: this.witness?.here?.() })
      return NEVER
    }
    task.operation = operation
    task.target = target
    task.a = a
    task.b = b
    task.couldRun = undefined
    task.enabledBy = undefined
    return this.suspend(task) as Promise<Result>
  }

  failed(error: unknown): Promise<never> {
    return this.settled(error, true) as Promise<never>
  }

  external<T>(_promise: PromiseLike<T>): Promise<T> {
    return this.failed(new TypeError(`task ${this.current.name} awaits an external promise: a checker decides over marked operations only`))
  }

  idle(): Promise<void> {
    return this.failed(new TypeError(`task ${this.current.name} waits for all others to be idle: under a checker, join them`))
  }

  condResched(): Promise<void> {
    return this.settled(undefined, false) as Promise<void>
  }

  cpuRelax(): Promise<void> {
    const recorder = this.#recorder
    const task = this.running
    if (!task) return this.condResched()
    if (!recorder) {
      this.#lacks('events')
      return NEVER
    }
    const relax = recorder.turnOf(task)
    return this.step(RELAX, { id: 0, name: relax.name, recorder, races: this.#races, task }, relax, undefined)
  }

  created(target: Target): void {
    if (this.#recorder) this.#recorder.created(target, this.running ?? this.#main)
    else target.id = this.#primitives++
    this.#races?.created(target)
  }

  touched(target: Target, access: 'read' | 'write'): void {
    const task = this.running
    if (!this.#exploring || !task) return
    const races = this.#races
    if (this.#performing) {
      this.#recorder?.touched(target, access)
      races?.touch(target, access)
    } else if (!races) this.#lacks('races')
    else {
      const clash = races.plain(task.id, target, access === 'write')
      if (clash) this.fail(this.#race(task, `a plain ${access}`, clash))
    }
  }

  note(text: () => string): void {
    if (this.running) this.witness?.note?.(this.running, text())
  }

  /** A task asked `what`, and not the scheduler. */
  strayed(what: string): void {
    if (this.running) this.fail({ ...nondeterminism(this.running, `calls ${what}`), site: this.witness?.here?.() })
  }

  /** @param generator the compiled function that awaits it */
  foreign(task: ExploredTask | undefined, generator?: object): Failure {
    const after = task?.lastEvent
    const where = after ? `, after ${after.kind} ${after.name}` : this.made.length > 0 ? '' : ', before its first operation'
    const message = `FOREIGN  ${task ? `task ${task.name}` : 'setup or check'} awaits something that is no marked operation${where}: a checker cannot decide when it goes on`
    return { code: 'FOREIGN', message, task: task?.name, error: undefined, site: this.witness?.awaited?.(generator) }
  }

  #race(task: ExploredTask, what: string, { name, code, other, write, plain }: Clash): Failure {
    const them = this.#taskIds.names[other - 1] ?? '?'
    if (code === 'UAF') {
      const [owner, user] = write ? [them, task.name] : [task.name, them]
      return { code, message: `UAF  ${owner} frees ${name}, and nothing orders that against its use by ${user}`, task: task.name, error: undefined }
    }
    const theirs = `${plain ? 'plain' : 'marked'} ${write ? 'write' : 'read'}`
    const message = `${code}  ${what} of ${name} by ${task.name} and a ${theirs} by ${them} are ordered by nothing`
    return { code, message, task: task.name, error: undefined }
  }

  #lacks(what: 'events' | 'races'): void {
    this.needs = what
    this.end({ end: 'abandoned', blocked: [] })
  }

  #misuse(operation: Operation, target: Target): string | undefined {
    const task = this.running
    const what = `${operation.kind} ${objectOf(operation, target)}`
    if (!task) return `${what} is started outside of every task: a promise was not awaited`
    const wrong = this.witness?.starts(task, operation, target)
    if (wrong !== undefined) return wrong
    const waiting = task.waitsFor
    return waiting && `task ${task.name} starts ${what} while its ${waiting.kind} ${waiting.object} is pending: an await is missing`
  }

  /** Performs an operation of setup or check, beside which nothing runs. */
  #alone(operation: Operation, target: Target, a: unknown, b: unknown): Promise<unknown> {
    try {
      if (operation.enabled?.(target, a, b) ?? true) {
        const result = operation.perform(target, a, b)
        if (result !== AGAIN) return this.settled(result, false)
      }
      throw new TypeError(`setup and check run alone and cannot wait, as ${operation.kind} ${objectOf(operation, target)} would`)
    } catch (error) {
      return this.settled(error, true)
    }
  }

  /** Begins a task, or lets one take a step. @returns true when a task was begun or goes on, false when nobody does */
  protected turn(): boolean {
    const starting = this.#starting.length > 0 ? this.#starting.shift() : undefined
    if (starting) {
      this.#begin(starting)
      return true
    }
    const step = this.made.length
    const situation = this.#situation
    this.#findEnabled(situation)
    if (situation.count === 0) this.#over()
    else if (step >= this.#maxSteps) {
      this.fail({ code: 'LIVELOCK', message: `LIVELOCK  no end after ${this.#maxSteps} steps: ${LIVELOCK}`, task: this.running?.name, error: undefined })
    } else {
      const chosen = this.#choose(step)
      if (chosen < 0) this.end({ end: 'abandoned', blocked: this.#waiting() })
      else {
        const task = this.#enabledTask(situation, chosen)
        if (task?.operation && task.target) return this.#take(task, task.operation, task.target, step)
        this.fail(nondeterminism(undefined, `task ${chosen} can take no step at step ${step}, as it could in another execution with the same choices`))
      }
    }
    return false
  }

  #choose(step: number): number {
    const recorder = this.#recorder
    if (recorder?.repeating) return (recorder.trace.events[step] as Event).task
    if (step < this.#given.length) return taskOf(this.#given[step] as Choice)
    const situation = this.#situation
    situation.step = step
    return this.#director.choose(situation)
  }

  /** The next task that was spawned runs up to its first operation. That is no event: if what it does there mattered to others, it would be a reported race. */
  #begin(task: ExploredTask): void {
    const live = this.#live
    let at = live.length
    for (; at > 0 && (live[at - 1] as ExploredTask).id > task.id; at--) live[at] = live[at - 1] as ExploredTask
    live[at] = task
    this.running = task
    this.begin(task)
  }

  #enabledTask({ enabled, count }: Situation, chosen: number): ExploredTask | undefined {
    for (let i = 0; i < count; i++) if (enabled[i] === chosen) return this.#enabled[i]
    return undefined
  }

  #findEnabled(situation: Mutable<Situation>): void {
    const { enabled, ways } = situation
    const recorder = this.#recorder
    const live = this.#live
    let count = 0
    for (const task of live) {
      const { operation, target } = task
      if (operation === undefined || target === undefined) continue
      const can = operation.enabled === undefined || operation.enabled(target, task.a, task.b)
      if (recorder !== undefined) {
        if (can && task.couldRun === false) task.enabledBy = recorder.lastEvent
        task.couldRun = can
      }
      if (!can) continue
      this.#enabled[count] = task
      ways[count] = operation.ways === undefined ? 1 : operation.ways(target)
      enabled[count++] = task.id - 1
    }
    situation.count = count
  }

  /** Performs the operation that `task` waits with. @returns true when it goes on */
  #take(task: ExploredTask, operation: Operation, target: Target, step: number): boolean {
    const recorder = this.#recorder
    const races = this.#races
    const { a, b } = task
    this.running = task
    const ways = operation.ways === undefined ? 0 : operation.ways(target)
    const way = this.#way(ways, step)
    recorder?.begin(task, operation, target)
    races?.performs(task.id, operation, target, a)
    task.operation = undefined
    let value: unknown
    let threw = false
    this.#performing = operation
    this.#performingOn = target
    try {
      value = operation.perform(target, a, b, way)
    } catch (error) {
      value = error
      threw = true
    }
    this.#performing = undefined
    this.made.push(choiceOf(task.id - 1, way))
    this.#situation.last = task.id - 1
    const clash = races?.end()
    const failure = recorder?.end(task, operation, target, way, ways) ?? (clash && this.#race(task, 'a marked access', clash))
    if (failure) this.fail(failure)
    else if (value !== AGAIN) {
      this.resume(task, value, threw)
      return true
    } else {
      task.operation = operation
      task.couldRun = undefined
      task.enabledBy = undefined
      this.running = undefined
    }
    return false
  }

  #way(ways: number, step: number): number {
    if (ways < 2) return 0
    const recorder = this.#recorder
    if (recorder?.repeating) return (recorder.trace.events[step] as Event).way
    if (step < this.#given.length) return wayOf(this.#given[step] as Choice)
    return this.#director.way(step, ways)
  }

  /** The body of `task` has ended. */
  protected exit(task: ExploredTask, error: unknown, threw: boolean): void {
    if (!this.#exploring) return
    if (threw) {
      if (!(error instanceof AssumptionFailed)) {
        this.fail(failureOf(error, task.name))
        return
      }
      this.#assumed = true
    }
    const waiting = task.waitsFor
    if (waiting || task.open > 0) {
      const left = waiting ? `its ${waiting.kind} ${waiting.object} is pending` : 'a function that it called has not ended, or has thrown, and was not awaited'
      this.fail({ code: 'MISSING_AWAIT', message: `MISSING_AWAIT  task ${task.name} ends while ${left}`, task: task.name, error: undefined, site: waiting && this.witness?.started?.(task) })
      return
    }
    task.finished = true
    const live = this.#live
    for (let at = live.indexOf(task) + 1; at < live.length; at++) live[at - 1] = live[at] as ExploredTask
    live.pop()
    this.#finished.push(task)
    this.#trace('sched:exit', task)
    this.running = undefined
  }

  /** What the tasks that can take no step would do next. */
  #waiting(): Event[] {
    const recorder = this.#recorder
    if (!recorder) return []
    return this.#live.flatMap((task) => {
      const { operation, target, couldRun } = task
      if (!operation || !target || couldRun) return []
      recorder.begin(task, operation, target)
      return [recorder.eventOf(task, operation, target, 0, 0)]
    })
  }

  /** No task can take a step. */
  #over(): void {
    this.running = undefined
    const blocked = this.#waiting()
    if (this.#assumed) this.end({ end: 'assumed', blocked })
    else if (this.#live.length > 0) this.end({ end: 'failed', failure: stalemate(this.#live, [...this.#live, ...this.#finished]), blocked })
    else {
      const holder = this.#finished.find((task) => task.held.length > 0)
      if (!holder) this.end({ end: 'passed', blocked })
      else {
        const message = `LEAK  task ${holder.name} has ended and holds ${holder.held.map((lock) => lock.lockClass).join(', ')}`
        this.end({ end: 'failed', failure: { code: 'LEAK', message, task: holder.name, error: undefined }, blocked })
      }
    }
  }
}
