import { AGAIN, createKernel, type Kernel, type Operation, type Scheduler, type SchedulerParts, type Target } from '@mmu-notifier/kernel'
import { foreign, leak, livelock, missingAwait, nameOf, nondeterminism, race, unfinished } from './complaints.ts'
import { choiceOf, taskOf, wayOf, type Choice, type Director, type Outcome } from './director.ts'
import type { Event } from './event.ts'
import type { ExecutionParts } from './execution-parts.ts'
import { ExploredTask } from './explored-task.ts'
import { AssumptionFailed, failureOf, type Failure } from './failure.ts'
import type { Clash, RaceCheck } from './races.ts'
import type { Recorder } from './recorder.ts'
import { RELAX } from './relax.ts'
import { stalemate } from './stalemate.ts'
import type { Turn } from './turn.ts'

const NEVER = new Promise<never>(() => undefined)

/** Setup runs, alone; */
const SETUP = 0
/** tasks take steps; */
const TASKS = 1
/** they have ended well, and check runs, alone; */
const CHECK = 2
/** they have run to a failure: what is left of them must not go on. */
const BROKEN = 3

/**
 * The scheduler of one execution: asks the director whose step is next and performs it. How a task is suspended where it starts an operation, and how it goes on, is
 * the business of the subclasses.
 */
export abstract class Execution implements Scheduler {
  readonly kernel: Kernel
  /** How many steps were taken. */
  steps = 0
  /** Something happened that can only be judged with the events, or with the race check, at hand. */
  needs: 'events' | 'races' | undefined = undefined
  protected readonly parts: ExecutionParts
  protected outcome: Outcome | undefined = undefined
  protected running: ExploredTask | undefined = undefined
  /** The operation that {@link take} performed has thrown. */
  protected threw = false
  #phase = SETUP
  /** An operation of {@link running} is being performed. */
  #performing = false
  readonly #recorder: Recorder | undefined
  readonly #races: RaceCheck | undefined
  /** Operations start plainly: tasks take steps, and nobody looks on. */
  #plainly = false
  readonly #turn: Turn
  readonly #director: Director
  readonly #made: Choice[]
  readonly #maxSteps: number
  /** So many steps are prescribed. */
  readonly #led: number
  readonly #main: ExploredTask
  #trace: SchedulerParts['trace'] | undefined = undefined
  #primitives = 0
  /** Spawned, the first {@link #begun} of them begun. */
  readonly #spawned: ExploredTask[] = []
  #begun = 0
  /** Begun and not finished, by id. */
  readonly #live: ExploredTask[] = []
  /** Finished, and hold a lock. */
  #leaks: ExploredTask[] | undefined = undefined
  #assumed = false

  constructor(parts: ExecutionParts) {
    const { director, choices, recorder, races, lockOrder, turn, made, maxSteps } = parts
    this.parts = parts
    this.#recorder = recorder
    this.#races = races
    this.#turn = turn
    this.#director = director
    this.#made = made
    this.#maxSteps = maxSteps
    this.#led = Math.max(choices.length, recorder ? director.prefix : 0)
    turn.reset(this.#live)
    this.kernel = createKernel({
      lockOrder,
      scheduler: ({ trace }) => {
        this.#trace = trace
        return this
      },
    })
    this.#main = new ExploredTask(0, 'main', () => Promise.resolve(), undefined, this)
  }

  /** Runs `task` to its first operation. */
  protected abstract begin(task: ExploredTask): void

  /** The task that runs has started its operation. @returns what it awaits */
  protected abstract suspend(task: ExploredTask): Promise<unknown>

  /** What is to be awaited in place of an operation that is done, or has failed, already. */
  protected abstract settled(value: unknown, threw: boolean): Promise<unknown>

  /** The outcome is known. */
  protected abstract ended(): void

  /** Tasks take steps from here on. */
  protected tasksRun(): void {
    this.#phase = TASKS
    this.#plainly = this.parts.witness === undefined
  }

  /** Tasks have ended well, and check runs. */
  checks(): void {
    this.outcome = undefined
  }

  protected end(outcome: Outcome): void {
    if (this.#phase !== TASKS) return
    this.#phase = outcome.end === 'passed' ? CHECK : BROKEN
    this.#plainly = false
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
    return [this.#main, ...this.#spawned.slice(this.#begun), ...this.#live]
  }

  spawn(name: string, body: () => Promise<void>): ExploredTask {
    const { taskIds, races } = this.parts
    const maker = this.running ?? this.#main
    const count = maker.children++
    const label = maker === this.#main ? name : `${maker.name}/${name}.${count}`
    const id = taskIds.of(maker.id, count, label) + 1
    const task = new ExploredTask(id, label, body, maker.lastEvent ?? maker.spawnedAfter, this)
    races?.spawned(id, maker.id)
    this.#spawned.push(task)
    this.#trace?.('sched:spawn', task)
    return task
  }

  step<On extends Target, A, B, Result>(operation: Operation<On, A, B, Result>, target: On, a: A, b: B): Promise<Result> {
    const task = this.running
    if (!this.#plainly || task === undefined || task.operation !== undefined) {
      const instead = this.#notPlainly(operation, target, a, b) as Promise<Result> | undefined
      if (instead !== undefined || task === undefined) return instead ?? NEVER
    }
    task.operation = operation
    task.target = target
    task.a = a
    task.b = b
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
    const { recorder, races } = this.parts
    const task = this.running
    if (!task) return this.condResched()
    if (!recorder) {
      this.#lacks('events')
      return NEVER
    }
    const relax = recorder.turnOf(task)
    return this.step(RELAX, { id: 0, name: relax.name, recorder, races, task }, relax, undefined)
  }

  created(target: Target): void {
    const { recorder, races } = this.parts
    if (recorder) recorder.created(target, this.running ?? this.#main)
    else target.id = this.#primitives++
    races?.created(target)
  }

  touched(target: Target, access: 'read' | 'write'): void {
    const task = this.running
    if (task === undefined || this.#phase !== TASKS) return
    const { recorder, races, taskIds } = this.parts
    if (this.#performing) {
      recorder?.touched(target, access)
      races?.touch(target, access)
    } else if (!races) this.#lacks('races')
    else {
      const clash = races.plain(task.id, target, access === 'write')
      if (clash) this.fail(race(task, `a plain ${access}`, clash, taskIds.names))
    }
  }

  note(text: () => string): void {
    if (this.running) this.parts.witness?.note?.(this.running, text())
  }

  /** A task asked `what`, and not the scheduler. */
  strayed(what: string): void {
    if (this.running) this.fail({ ...nondeterminism(this.running, `calls ${what}`), site: this.parts.witness?.here?.() })
  }

  /** @param generator the compiled function that awaits it */
  foreign(task: ExploredTask | undefined, generator?: object): Failure {
    return foreign(task, this.steps > 0, this.parts.witness, generator)
  }

  #lacks(what: 'events' | 'races'): void {
    this.needs = what
    this.end({ end: 'abandoned', blocked: [] })
  }

  /** An operation starts where it may not, or where there is more to it. @returns what is awaited; undefined when it starts as any other, of the running task */
  #notPlainly(operation: Operation, target: Target, a: unknown, b: unknown): Promise<unknown> | undefined {
    const task = this.running
    if (this.#performing && task?.operation && task.target) {
      throw new TypeError(`task ${task.name} starts ${nameOf(operation, target)} inside ${nameOf(task.operation, task.target)}, which is one step`)
    }
    if (this.#phase === BROKEN) return NEVER
    if (this.#phase !== TASKS) return this.#alone(operation, target, a, b)
    const { witness } = this.parts
    const waiting = task?.waitsFor
    let wrong: string | undefined
    if (!task) wrong = `${nameOf(operation, target)} is started outside of every task: a promise was not awaited`
    else wrong = witness?.starts(task, operation, target)
    if (wrong === undefined && task && waiting) wrong = `task ${task.name} starts ${nameOf(operation, target)} while its ${waiting.kind} ${waiting.object} is pending: an await is missing`
    if (wrong === undefined) return undefined
    this.fail(missingAwait(task, wrong, witness))
    return NEVER
  }

  /** Performs an operation of setup or check, beside which nothing runs. */
  #alone(operation: Operation, target: Target, a: unknown, b: unknown): Promise<unknown> {
    try {
      if (operation.enabled?.(target, a, b) ?? true) {
        const result = operation.perform(target, a, b)
        if (result !== AGAIN) return this.settled(result, false)
      }
      throw new TypeError(`setup and check run alone and cannot wait, as ${nameOf(operation, target)} would`)
    } catch (error) {
      return this.settled(error, true)
    }
  }

  /** Some task was spawned and has not begun. */
  protected get unbegun(): boolean {
    return this.#begun < this.#spawned.length
  }

  /** The next task that was spawned runs up to its first operation. That is no event: if what it does there mattered to others, it would be a reported race. */
  protected beginNext(): void {
    const task = this.#spawned[this.#begun++] as ExploredTask
    const live = this.#live
    let at = live.length
    for (; at > 0 && (live[at - 1] as ExploredTask).id > task.id; at--) live[at] = live[at - 1] as ExploredTask
    live[at] = task
    this.running = task
    this.begin(task)
  }

  /** @returns the task that is to take the next step; undefined when nobody does, and the outcome is known */
  protected pick(): ExploredTask | undefined {
    const turn = this.#turn
    const { steps } = this
    turn.step = steps
    turn.count = this.#recorder ? this.#noteEnabled(this.#recorder) : this.#findEnabled()
    if (turn.count === 0 || steps >= this.#maxSteps) {
      this.#over(turn.count)
      return undefined
    }
    const chosen = steps < this.#led ? this.#prescribed(steps) : this.#director.choose(turn)
    for (const task of this.#live) if (task.id === chosen + 1 && task.couldRun === true) return task
    this.#cannot(chosen)
    return undefined
  }

  #findEnabled(): number {
    const { enabled } = this.#turn
    let count = 0
    for (const task of this.#live) {
      const { operation } = task
      const can = operation !== undefined && (operation.enabled === undefined || operation.enabled(task.target as Target, task.a, task.b))
      task.couldRun = can
      if (can) enabled[count++] = task.id - 1
    }
    return count
  }

  /** Finds who can take a step, and notes who could not, and what has changed that. */
  #noteEnabled(recorder: Recorder): number {
    const { enabled } = this.#turn
    let count = 0
    for (const task of this.#live) {
      const { operation, target, a, b } = task
      const can = operation !== undefined && target !== undefined && (operation.enabled?.(target, a, b) ?? true)
      if (can && task.couldRun === false) task.enabledBy = recorder.lastEvent
      task.couldRun = operation && can
      if (can) enabled[count++] = task.id - 1
    }
    return count
  }

  #prescribed(step: number): number {
    const { recorder, choices } = this.parts
    return recorder?.repeating ? (recorder.trace.events[step] as Event).task : taskOf(choices[step] as Choice)
  }

  /** `task` performs the operation that it waits with, and is {@link running} if it goes on. @returns what it goes on with, see {@link threw} */
  protected take(task: ExploredTask): unknown {
    const { target, a, b } = task
    const operation = task.operation as Operation
    const step = this.steps
    const ways = operation.ways === undefined ? 0 : operation.ways(target as Target)
    const way = ways < 2 ? 0 : this.#way(ways, step)
    this.running = task
    this.#recorder?.begin(task, operation, target as Target)
    this.#races?.performs(task.id, operation, target as Target, a)
    let value: unknown
    this.threw = false
    this.#performing = true
    try {
      value = operation.perform(target as Target, a, b, way)
    } catch (error) {
      value = error
      this.threw = true
    }
    this.#performing = false
    this.#made[step] = choiceOf(task.id - 1, way)
    this.steps = step + 1
    this.#turn.last = task.id - 1
    // Compared with an imported constant, a value of any type is what V8 has to call for.
    if (typeof value === 'symbol' && value === AGAIN) this.running = undefined
    else task.operation = undefined
    const clash = this.#races?.end()
    if (this.#recorder !== undefined || clash !== undefined) this.#judge(task, operation, target as Target, way, ways, clash)
    return value
  }

  /** Fails when what was performed is wrong by itself, or for the race that it is part of. */
  #judge(task: ExploredTask, operation: Operation, target: Target, way: number, ways: number, clash: Clash | undefined): void {
    const failure = this.#recorder?.end(task, operation, target, way, ways) ?? (clash && race(task, 'a marked access', clash, this.parts.taskIds.names))
    task.couldRun = undefined
    task.enabledBy = undefined
    if (failure) this.fail(failure)
  }

  #way(ways: number, step: number): number {
    const { recorder, choices, director } = this.parts
    if (recorder?.repeating) return (recorder.trace.events[step] as Event).way
    return step < choices.length ? wayOf(choices[step] as Choice) : director.way(step, ways)
  }

  /** The body of `task` has ended. */
  protected exit(task: ExploredTask, error: unknown, threw: boolean): void {
    if (this.#phase !== TASKS) return
    if (threw) {
      if (!(error instanceof AssumptionFailed)) {
        this.fail(failureOf(error, task.name))
        return
      }
      this.#assumed = true
    }
    const left = unfinished(task, this.parts.witness)
    if (left) {
      this.fail(left)
      return
    }
    task.finished = true
    const live = this.#live
    for (let at = live.indexOf(task) + 1; at < live.length; at++) live[at - 1] = live[at] as ExploredTask
    live.pop()
    if (task.held.length > 0) (this.#leaks ??= []).push(task)
    this.#trace?.('sched:exit', task)
    this.running = undefined
  }

  /** What the tasks that can take no step would do next. */
  #waiting(): Event[] {
    const { recorder } = this.parts
    if (!recorder) return []
    return this.#live.flatMap((task) => {
      const { operation, target, couldRun } = task
      if (!operation || !target || couldRun) return []
      recorder.begin(task, operation, target)
      return [recorder.eventOf(task, operation, target, 0, 0)]
    })
  }

  /** `chosen` can take no step. */
  #cannot(chosen: number): undefined {
    if (chosen < 0) this.end({ end: 'abandoned', blocked: this.#waiting() })
    else this.fail(nondeterminism(undefined, `task ${chosen} can take no step at step ${this.steps}, as it could in another execution with the same choices`))
  }

  /** No task can take a step, or they take no end of them. */
  #over(enabled: number): undefined {
    if (enabled > 0) {
      this.fail(livelock(this.running, this.steps))
      return
    }
    const live = this.#live
    const leaks = this.#leaks ?? []
    const [holder] = leaks
    this.running = undefined
    const blocked = this.#waiting()
    if (this.#assumed) this.end({ end: 'assumed', blocked })
    else if (live.length > 0) this.end({ end: 'failed', failure: stalemate(live, [...live, ...leaks]), blocked })
    else if (holder) this.end({ end: 'failed', failure: leak(holder), blocked })
    else this.end({ end: 'passed', blocked })
  }
}
