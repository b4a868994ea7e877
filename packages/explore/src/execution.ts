import { AGAIN, type Operation, type Scheduler, type Target } from '@mmu-notifier/kernel'
import { escape, foreign, livelock, missingAwait, nameOf, nondeterminism, race } from './complaints.ts'
import { choiceOf, taskOf, wayOf, type Choice, type Director } from './director.ts'
import type { Event } from './event.ts'
import type { ExecutionParts } from './execution-parts.ts'
import type { ExploredTask } from './explored-task.ts'
import type { Failure } from './failure.ts'
import { BROKEN, Population, TASKS } from './population.ts'
import type { Clash, RaceCheck } from './races.ts'
import type { Recorder } from './recorder.ts'
import { RELAX } from './relax.ts'
import type { Turn } from './turn.ts'

const NEVER = new Promise<never>(() => undefined)
/** An operation starts in the running task, which waits with it. */
const PLAINLY = Symbol('plainly')

/**
 * The scheduler of one execution: asks the director whose step is next and performs it. How a task is suspended where it starts an operation, and how it goes on, is
 * the business of the subclasses.
 */
export abstract class Execution extends Population implements Scheduler {
  /** How many steps were taken. */
  steps = 0
  /** Something happened that can only be judged with the events, or with the race check, at hand. */
  needs: 'events' | 'races' | undefined = undefined
  /** The operation that {@link take} performed has thrown. */
  protected threw = false
  /** An operation of {@link running} is being performed. */
  #performing = false
  readonly #recorder: Recorder | undefined
  readonly #races: RaceCheck | undefined
  readonly #turn: Turn
  readonly #director: Director
  readonly #made: Choice[]
  readonly #maxSteps: number
  /** So many steps are prescribed. */
  readonly #led: number

  constructor(parts: ExecutionParts) {
    super(parts)
    const { director, choices, recorder, races, turn, made, maxSteps } = parts
    this.#recorder = recorder
    this.#races = races
    this.#turn = turn
    this.#director = director
    this.#made = made
    this.#maxSteps = maxSteps
    this.#led = Math.max(choices.length, recorder ? director.prefix : 0)
    turn.reset(this.live)
  }

  /** The task that runs has started its operation. @returns what it awaits */
  protected abstract suspend(task: ExploredTask): Promise<unknown>

  /** What is to be awaited in place of an operation that is done, or has failed, already. */
  protected abstract settled(value: unknown, threw: boolean): Promise<unknown>

  step<On extends Target, A, B, Result>(operation: Operation<On, A, B, Result>, target: On, a: A, b: B): Promise<Result> {
    const task = this.running
    if (!this.plainly || task === undefined || task.operation !== undefined) {
      const instead = this.#notPlainly(operation, target, a, b)
      if (instead !== PLAINLY || task === undefined) return instead as Promise<Result>
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

  touched(target: Target, access: 'read' | 'write'): void {
    const task = this.running
    if (task === undefined || this.phase !== TASKS) return
    const { recorder, races, taskIds, witness } = this.parts
    if (this.#performing) {
      recorder?.touched(target, access)
      races?.touch(target, access)
    } else if (!races) this.#lacks('races')
    else {
      const write = access === 'write'
      witness?.accesses?.(task.id, target.id, write)
      const clash = races.plain(task.id, target, write)
      if (clash) this.fail(race(task, `a plain ${access}`, clash, taskIds.names, witness, witness?.here?.()))
    }
  }

  note(text: () => string): void {
    if (this.running) this.parts.witness?.note?.(this.running, text())
  }

  /** A task asked `what`, and not the scheduler. */
  strayed(what: string): void {
    if (this.running) this.fail({ ...nondeterminism(this.running, `calls ${what}`), site: this.parts.witness?.here?.() })
  }

  /** A task starts `what` of a kernel that runs freely. */
  escaped(what: string): void {
    if (this.running && this.phase === TASKS) this.fail(escape(this.running, what, this.parts.witness))
  }

  /** @param generator the compiled function that awaits it */
  foreign(task: ExploredTask | undefined, generator?: object): Failure {
    return foreign(task, this.steps > 0, this.parts.witness, generator)
  }

  #lacks(what: 'events' | 'races'): void {
    this.needs = what
    this.end({ end: 'abandoned', blocked: [] })
  }

  /** An operation starts where it may not, or where there is more to it. @returns what is awaited: of compiled code, what came of it */
  #notPlainly(operation: Operation, target: Target, a: unknown, b: unknown): unknown {
    const task = this.running
    if (this.#performing && task?.operation && task.target) {
      throw new TypeError(`task ${task.name} starts ${nameOf(operation, target)} inside ${nameOf(task.operation, task.target)}, which is one step`)
    }
    if (this.phase === BROKEN) return NEVER
    if (this.phase !== TASKS) return this.#alone(operation, target, a, b)
    const { witness } = this.parts
    const waiting = task?.waitsFor
    const pending = waiting && witness?.started?.(task)
    let wrong: string | undefined
    if (!task) wrong = `${nameOf(operation, target)} is started outside of every task: a promise was not awaited`
    else wrong = witness?.starts(task, operation, target)
    if (wrong === undefined && task && waiting) wrong = `task ${task.name} starts ${nameOf(operation, target)} while its ${waiting.kind} ${waiting.object} is pending: an await is missing`
    if (wrong === undefined) return PLAINLY
    this.fail(missingAwait(task, wrong, witness?.here?.() ?? pending))
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

  /** @returns the task that is to take the next step; undefined when nobody does, and the outcome is known */
  protected pick(): ExploredTask | undefined {
    const turn = this.#turn
    const { steps } = this
    turn.step = steps
    turn.count = this.#recorder?.findEnabled(this.live, turn.enabled) ?? this.#findEnabled()
    if (turn.count === 0 || steps >= this.#maxSteps) {
      this.#nobody(turn.count > 0)
      return undefined
    }
    const chosen = steps < this.#led ? this.#prescribed(steps) : this.#director.choose(turn)
    for (const task of this.live) if (task.id === chosen + 1 && task.couldRun === true) return task
    this.#cannot(chosen)
    return undefined
  }

  #findEnabled(): number {
    const { enabled } = this.#turn
    let count = 0
    for (const task of this.live) {
      const { operation } = task
      const can = operation !== undefined && (operation.enabled === undefined || operation.enabled(task.target as Target, task.a, task.b))
      task.couldRun = can
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
    const failure = this.#recorder?.end(task, operation, target, way, ways) ?? (clash && race(task, 'a marked access', clash, this.parts.taskIds.names, this.parts.witness))
    task.couldRun = undefined
    task.enabledBy = undefined
    if (failure) this.fail(failure)
  }

  #way(ways: number, step: number): number {
    const { recorder, choices, director } = this.parts
    if (recorder?.repeating) return (recorder.trace.events[step] as Event).way
    return step < choices.length ? wayOf(choices[step] as Choice) : director.way(step, ways)
  }

  /** No task can take a step, or they take no end of them. */
  #nobody(can: boolean): void {
    if (can) this.fail(livelock(this.running, this.steps))
    else this.over()
  }

  /** `chosen` can take no step. */
  #cannot(chosen: number): void {
    if (chosen < 0) this.end({ end: 'abandoned', blocked: this.waiting() })
    else this.fail(nondeterminism(undefined, `task ${chosen} can take no step at step ${this.steps}, as it could in another execution with the same choices`))
  }

}
