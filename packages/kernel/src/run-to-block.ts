import { MmuNotifierError } from './errors.ts'
import type { HeldLock } from './lockdep.ts'
import type { Operation, Scheduler, SchedulerParts } from './scheduler.ts'
import type { Task } from './task.ts'

/** Switches tasks at operations that need not wait, at random. */
export interface Preemption {
  /** Any integer; the same seed gives the same run. */
  readonly seed: number
  /** How often, between 0 (never) and 1 (at every operation that another task could precede). */
  readonly probability: number
}

interface Waiter {
  readonly operation: Operation
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

class ScheduledTask implements Task {
  readonly id: number
  readonly name: string
  readonly #scheduler: RunToBlock
  readonly #parts: SchedulerParts
  finished = false
  waiter: Waiter | undefined
  /** What the body threw. */
  failure: unknown

  constructor(id: number, name: string, scheduler: RunToBlock, parts: SchedulerParts) {
    this.id = id
    this.name = name
    this.#scheduler = scheduler
    this.#parts = parts
  }

  get held(): readonly HeldLock[] {
    return this.#parts.held(this)
  }

  get waitsFor(): Operation | undefined {
    return this.waiter?.operation
  }

  join(): Promise<void> {
    return this.#scheduler.step({
      kind: 'join',
      object: this.name,
      target: this,
      access: 'none',
      enabled: () => this.finished,
      perform: () => {
        if (this.#scheduler.takeFailure(this)) throw this.failure
      },
    })
  }
}

/**
 * The scheduler of free running: a task runs until it has to wait, and hands control directly to the task that has waited longest and need
 * not any more. An operation that need not wait is a resolved promise. With {@link Preemption} it also switches where it would not have to,
 * reproducibly.
 *
 * When every task waits and nothing external is under way, the run is dead: `main` gets what a task threw that nobody joined, or else an
 * error DEADLOCK that says who waits for what.
 */
export class RunToBlock implements Scheduler {
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
  /** The operation that is being performed: no other may start inside it. */
  #performing: Operation | undefined
  /** Tasks whose error nobody has seen yet. */
  readonly #failed = new Set<ScheduledTask>()

  constructor(parts: SchedulerParts, preemption?: Preemption) {
    this.#parts = parts
    this.#preemption = preemption
    this.#random = (preemption?.seed ?? 0) | 0
    this.#main = new ScheduledTask(0, 'main', this, parts)
    this.#running = this.#main
    this.#live = [this.#main]
  }

  get current(): Task {
    return this.#running ?? this.#main
  }

  get tasks(): readonly Task[] {
    return this.#live
  }

  spawn(name: string, body: () => Promise<void>): Task {
    const task = new ScheduledTask(this.#nextId++, name, this, this.#parts)
    this.#live.push(task)
    this.#parts.trace('sched:spawn', task)
    const start: Operation = { kind: 'start', object: name, target: task, access: 'none', enabled: () => true, perform: () => undefined }
    void this.#park(task, start)
      .then(body)
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

  step<T>(operation: Operation<T>): Promise<T> {
    const task = this.#running ?? this.#main
    if (this.#performing) {
      throw new TypeError(`task ${task.name} starts ${operation.kind} ${operation.object} inside ${this.#performing.kind} ${this.#performing.object}, which is one step`)
    }
    if (task.waiter) {
      const pending = `${task.waiter.operation.kind} ${task.waiter.operation.object}`
      return Promise.reject(
        new TypeError(`task ${task.name} starts ${operation.kind} ${operation.object} while its ${pending} is pending: an await is missing`),
      )
    }
    if (operation.enabled() && !this.#preempts()) return this.#attempt(operation)
    return this.#wait(task, operation)
  }

  #wait<T>(task: ScheduledTask, operation: Operation<T>): Promise<T> {
    const done = this.#park(task, operation)
    // Not at once: what the task still does up to its await is done in its own name.
    void Promise.resolve().then(() => {
      this.#dispatch()
    })
    return done
  }

  /** Goes to the end of the queue, if another task can run. */
  condResched(): Promise<void> {
    const task = this.#running ?? this.#main
    return this.#wait(task, { kind: 'yield', object: 'the CPU', target: task, access: 'none', enabled: () => true, perform: () => undefined })
  }

  cpuRelax(): Promise<void> {
    return this.condResched()
  }

  external<T>(promise: PromiseLike<T>): Promise<T> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined
    const settle = (result: NonNullable<typeof outcome>): void => {
      outcome = result
      this.#externals--
      if (!this.#running) this.#dispatch()
    }
    this.#externals++
    promise.then(
      (value) => { settle({ value }) },
      (error: unknown) => { settle({ error }) },
    )
    return this.step({
      kind: 'external',
      object: 'promise',
      target: promise,
      access: 'none',
      enabled: () => outcome !== undefined,
      perform: () => {
        if (outcome && 'value' in outcome) return outcome.value
        throw outcome?.error
      },
    })
  }

  /** Lets every other task run until it has finished or waits; throws what a task threw that nobody joined. */
  idle(): Promise<void> {
    const self = this.#running ?? this.#main
    return this.step({
      kind: 'idle',
      object: 'every other task',
      target: self,
      access: 'none',
      enabled: () => !this.#waiting.some((task) => task !== self && task.waiter?.operation.kind !== 'idle' && task.waiter?.operation.enabled()),
      perform: () => {
        const [failed] = this.#failed
        if (failed && this.takeFailure(failed)) throw failed.failure
      },
    })
  }

  /** True once for a task that threw: the first that joins it takes the error. */
  takeFailure(task: ScheduledTask): boolean {
    return this.#failed.delete(task)
  }

  #park<T>(task: ScheduledTask, operation: Operation<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      task.waiter = { operation, resolve: resolve as (value: unknown) => void, reject }
      this.#waiting.push(task)
    })
  }

  /** Hands control to the next task whose operation can be performed. */
  #dispatch(): void {
    const at = this.#pick()
    const task = this.#waiting[at]
    this.#running = task
    if (!task?.waiter) {
      if (this.#externals === 0) this.#dead()
      return
    }
    const { operation, resolve, reject } = task.waiter
    task.waiter = undefined
    this.#waiting.splice(at, 1)
    try {
      resolve(this.#perform(operation))
    } catch (error) {
      reject(error)
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
      const operation = this.#waiting[at]?.waiter?.operation
      if (!operation?.enabled()) continue
      if (operation.kind === 'external') external = external < 0 ? at : external
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
    const main = this.#main.waiter
    if (!main) return
    const who = this.#waiting.map((task) => {
      const held = task.held.map((lock) => lock.lockClass)
      const wait = task.waiter?.operation
      return `\n  ${task.name} waits: ${wait?.kind ?? '?'} ${wait?.object ?? '?'}${held.length > 0 ? `; holds ${held.join(', ')}` : ''}`
    })
    const [failed] = this.#failed
    const error = failed
      ? (this.takeFailure(failed), failed.failure)
      : new MmuNotifierError('DEADLOCK', `DEADLOCK  every task waits, and nothing can wake one:${who.join('')}`)
    this.#main.waiter = undefined
    this.#waiting = this.#waiting.filter((task) => task !== this.#main)
    this.#running = this.#main
    main.reject(error)
  }

  #attempt<T>(operation: Operation<T>): Promise<T> {
    try {
      return Promise.resolve(this.#perform(operation))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #perform<T>(operation: Operation<T>): T {
    this.#performing = operation
    try {
      return operation.perform()
    } finally {
      this.#performing = undefined
    }
  }
}
