import { MmuNotifierError } from './errors.ts'
import { freeRunning } from './free-running.ts'
import { AGAIN, operation, type Operation, type Scheduler, type SchedulerParts, type Target } from './scheduler.ts'
import { objectOf, TaskRecord } from './task.ts'

/** Switches tasks at operations that need not wait, at random. */
export interface Preemption {
  /** Any integer; the same seed gives the same run. */
  readonly seed: number
  /** How often, between 0 (never) and 1 (at every operation that another task could precede). */
  readonly probability: number
}

class ScheduledTask extends TaskRecord {
  readonly #scheduler: RunToBlock
  /** Settle what the task awaits. */
  resolve: ((value: unknown) => void) | undefined
  reject: ((error: unknown) => void) | undefined
  /** What the body threw. */
  failure: unknown

  constructor(id: number, name: string, scheduler: RunToBlock) {
    super(id, name, scheduler)
    this.#scheduler = scheduler
  }

  override joined(): void {
    if (this.#scheduler.takeFailure(this)) throw this.failure
  }
}

const START: Operation = operation({ kind: 'start', access: 'none', perform: () => undefined })
const YIELD: Operation = operation({ kind: 'yield', access: 'none', perform: () => undefined })
const IDLE: Operation<RunToBlock & Target, ScheduledTask> = operation({
  kind: 'idle',
  access: 'none',
  enabled: (scheduler, self) => scheduler.isIdleBut(self),
  perform: (scheduler) => { scheduler.throwFailure() },
})

/** What came of a promise from outside. */
class External implements Target {
  id = 0
  readonly name = 'promise'
  outcome: { readonly value: unknown } | { readonly error: unknown } | undefined
}

const EXTERNAL: Operation<External> = operation({
  kind: 'external',
  access: 'none',
  enabled: ({ outcome }) => outcome !== undefined,
  perform({ outcome }) {
    if (outcome && 'value' in outcome) return outcome.value
    throw outcome?.error
  },
})

/**
 * The scheduler of free running: a task runs until it has to wait, and hands control directly to the task that has waited longest and need
 * not any more. An operation that need not wait is a resolved promise. With {@link Preemption} it also switches where it would not have to,
 * reproducibly.
 *
 * When every task waits and nothing external is under way, the run is dead: `main` gets what a task threw that nobody joined, or else an
 * error DEADLOCK that says who waits for what.
 */
export class RunToBlock implements Scheduler, Target {
  id = 0
  readonly name = 'every other task'
  readonly #main: ScheduledTask
  readonly #parts: SchedulerParts
  readonly #preemption: Preemption | undefined
  #random: number
  #running: ScheduledTask | undefined
  /** Tasks with an operation that was not performed yet, longest waiting first. */
  #waiting: ScheduledTask[] = []
  #live: ScheduledTask[]
  #nextId = 1
  #externals = 0
  /** The operation that is being performed, and on what: no other may start inside it. */
  #performing: Operation | undefined
  #performingOn: Target | undefined
  /** Tasks whose error nobody has seen yet. */
  readonly #failed = new Set<ScheduledTask>()

  constructor(parts: SchedulerParts, preemption?: Preemption) {
    if (preemption) {
      const { seed, probability } = preemption
      if (!Number.isInteger(seed)) throw new RangeError(`preemption: expected an integer for a seed, got ${seed}`)
      if (!(probability >= 0 && probability <= 1)) throw new RangeError(`preemption: expected a probability from 0 to 1, got ${probability}`)
    }
    this.#parts = parts
    this.#preemption = preemption
    this.#random = (preemption?.seed ?? 0) | 0
    this.#main = new ScheduledTask(0, 'main', this)
    this.#running = this.#main
    this.#live = [this.#main]
  }

  get current(): TaskRecord {
    return this.#running ?? this.#main
  }

  get tasks(): readonly TaskRecord[] {
    return this.#live
  }

  spawn(name: string, body: () => Promise<void>): TaskRecord {
    const task = new ScheduledTask(this.#nextId++, name, this)
    this.#live.push(task)
    this.#parts.trace('sched:spawn', task)
    void this.#park(task, START, task, undefined, undefined)
      .then(body)
      .then(() => { holdsNothing(task) })
      .catch((error: unknown) => {
        this.#failed.add(task)
        task.failure = error
      })
      .then(() => {
        task.finished = true
        this.#live = this.#live.filter((other) => other !== task)
        this.#parts.trace('sched:exit', task)
        this.#dispatch()
      })
    return task
  }

  step<On extends Target, A, B, Result>(operation: Operation<On, A, B, Result>, target: On, a: A, b: B): Promise<Result> {
    freeRunning.told?.(`${operation.kind} ${objectOf(operation, target)}`)
    const task = this.#running ?? this.#main
    if (this.#performing && this.#performingOn) {
      const inside = `${this.#performing.kind} ${objectOf(this.#performing, this.#performingOn)}`
      throw new TypeError(`task ${task.name} starts ${operation.kind} ${objectOf(operation, target)} inside ${inside}, which is one step`)
    }
    const waiting = task.waitsFor
    if (waiting) {
      const what = `${operation.kind} ${objectOf(operation, target)} while its ${waiting.kind} ${waiting.object}`
      return this.failed(new TypeError(`task ${task.name} starts ${what} is pending: an await is missing`))
    }
    if ((operation.enabled?.(target, a, b) ?? true) && !this.#preempts()) {
      try {
        const result = this.#perform(operation, target, a, b)
        if (result !== AGAIN) return resolved(result as Result)
      } catch (error) {
        return this.failed(error)
      }
    }
    return this.#wait(task, operation, target, a, b) as Promise<Result>
  }

  async failed(error: unknown): Promise<never> {
    throw error
  }

  #wait(task: ScheduledTask, operation: Operation, target: Target, a: unknown, b: unknown): Promise<unknown> {
    const done = this.#park(task, operation, target, a, b)
    // Not at once: what the task still does up to its await is done in its own name.
    void Promise.resolve().then(() => {
      this.#dispatch()
    })
    return done
  }

  /** Goes to the end of the queue, if another task can run. */
  async condResched(): Promise<void> {
    if (this.#waiting.length === 0) return
    const task = this.#running ?? this.#main
    await this.#wait(task, YIELD, task, undefined, undefined)
  }

  cpuRelax(): Promise<void> {
    return this.condResched()
  }

  external<T>(promise: PromiseLike<T>): Promise<T> {
    const external = new External()
    const settle = (outcome: typeof external.outcome): void => {
      external.outcome = outcome
      this.#externals--
      if (!this.#running) this.#dispatch()
    }
    promise.then(
      (value) => { settle({ value }) },
      (error: unknown) => { settle({ error }) },
    )
    this.#externals++
    return this.step(EXTERNAL as Operation<External, undefined, undefined, T>, external, undefined, undefined)
  }

  /** Lets every other task run until it has finished or waits; throws what a task threw that nobody joined. */
  async idle(): Promise<void> {
    await this.step(IDLE, this, this.#running ?? this.#main, undefined)
  }

  /** True when no task but `self` and others that wait for this can go on. */
  isIdleBut(self: ScheduledTask): boolean {
    return !this.#waiting.some((task) => task !== self && task.operation !== (IDLE as Operation) && canGoOn(task))
  }

  /** Throws what a task threw, if nobody was told. */
  throwFailure(): void {
    const [failed] = this.#failed
    if (failed && this.takeFailure(failed)) throw failed.failure
  }

  /** True once for a task that threw: the first that joins it takes the error. */
  takeFailure(task: ScheduledTask): boolean {
    return this.#failed.delete(task)
  }

  #park(task: ScheduledTask, operation: Operation, target: Target, a: unknown, b: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      task.operation = operation
      task.target = target
      task.a = a
      task.b = b
      task.resolve = resolve
      task.reject = reject
      this.#waiting.push(task)
    })
  }

  /** Hands control to the next task whose operation can be performed. */
  #dispatch(): void {
    for (;;) {
      const at = this.#pick()
      const task = this.#waiting[at]
      this.#running = task
      if (!task?.operation || !task.target) {
        if (this.#externals === 0) this.#dead()
        return
      }
      const { operation, target, a, b, resolve, reject } = task
      this.#waiting.splice(at, 1)
      task.operation = undefined
      try {
        const result = this.#perform(operation, target, a, b)
        if (result !== AGAIN) {
          resolve?.(result)
          return
        }
        task.operation = operation
        this.#waiting.push(task)
      } catch (error) {
        reject?.(error)
        return
      }
    }
  }

  /**
   * The index of the next task to run: the longest waiting one that can; with preemption any of those, by lot. What comes from outside is taken
   * only when nothing else can run, so that the moment at which it came does not show.
   */
  #pick(): number {
    let external = -1
    const runnable: number[] = []
    for (let at = 0; at < this.#waiting.length; at++) {
      const task = this.#waiting[at]
      if (!task || !canGoOn(task)) continue
      if (task.operation?.kind === 'external') external = external < 0 ? at : external
      else if (!this.#preemption) return at
      else runnable.push(at)
    }
    if (runnable.length < 2) return runnable[0] ?? external
    return runnable[Math.floor(this.#draw() * runnable.length)] ?? -1
  }

  #preempts(): boolean {
    if (!this.#preemption || this.#waiting.length === 0) return false
    return this.#draw() < this.#preemption.probability
  }

  /** mulberry32 (Tommy Ettinger, public domain): 0 <= x < 1. */
  #draw(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0
    let t = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  #dead(): void {
    const main = this.#main
    if (!main.operation) return
    const who = this.#waiting.map((task) => {
      const held = task.held.map((lock) => lock.lockClass)
      const wait = task.waitsFor
      return `\n  ${task.name} waits: ${wait?.kind ?? '?'} ${wait?.object ?? '?'}${held.length > 0 ? `; holds ${held.join(', ')}` : ''}`
    })
    const [failed] = this.#failed
    const error = failed
      ? (this.takeFailure(failed), failed.failure)
      : new MmuNotifierError('DEADLOCK', `DEADLOCK  every task waits, and nothing can wake one:${who.join('')}`)
    main.operation = undefined
    this.#waiting = this.#waiting.filter((task) => task !== main)
    this.#running = main
    main.reject?.(error)
  }

  #perform(operation: Operation, target: Target, a: unknown, b: unknown): unknown {
    this.#performing = operation
    this.#performingOn = target
    try {
      return operation.perform(target, a, b)
    } finally {
      this.#performing = undefined
    }
  }
}

/** Async, as {@link RunToBlock.failed}, for its keyword: where that is compiled away there is no promise for what need not wait. */
async function resolved<T>(value: T): Promise<T> {
  return value
}

function holdsNothing({ name, held }: ScheduledTask): void {
  if (held.length > 0) throw new MmuNotifierError('LEAK', `LEAK  task ${name} has ended and holds ${held.map(({ lockClass }) => lockClass).join(', ')}`)
}

function canGoOn({ operation, target, a, b }: ScheduledTask): boolean {
  return operation !== undefined && target !== undefined && (operation.enabled?.(target, a, b) ?? true)
}
