import { KernelCell, type Cell } from './cell.ts'
import { KernelCompletion, type Completion } from './completion.ts'
import { FS_RECLAIM, mayReclaim, type Gfp } from './gfp.ts'
import { Lockdep, mightSleep, refusedSleep } from './lockdep.ts'
import { LockOrder } from './lock-order.ts'
import { LockMap } from './lock-map.ts'
import { KernelMemory, type Memory } from './memory.ts'
import { KernelMutex, type Mutex } from './mutex.ts'
import { KernelRefcount, type Refcount } from './refcount.ts'
import { RunToBlock, type Preemption } from './run-to-block.ts'
import { KernelRwSemaphore, type RwSemaphore } from './rw-semaphore.ts'
import type { Scheduler, SchedulerParts, Target } from './scheduler.ts'
import { KernelSeqCount, type SeqCount } from './seq-count.ts'
import { KernelSpinLock, type SpinLock } from './spin-lock.ts'
import { KernelSrcu, type Srcu } from './srcu.ts'
import type { Task } from './task.ts'
import { Tracer, type TraceEvents } from './trace.ts'
import { KernelWaitQueue, type WaitQueue } from './wait-queue.ts'
import { KernelWorkQueue, type WorkQueue } from './work-queue.ts'

/**
 * What a driver stands on. Everything that can block or race gets its primitives from here, so the same source runs freely and under a
 * scheduler that explores interleavings.
 *
 * Every method of a primitive that returns a promise is a *marked operation*: it is awaited, without exception, and is one step. Between
 * two of them a task runs alone. Await nothing else, or hand it to {@link Kernel.external}.
 */
export interface Kernel {
  /** The running task; code outside of every spawned task is `main`. Linux: `current`. */
  readonly current: Task
  /** All tasks that have not finished, `main` first. */
  readonly tasks: readonly Task[]
  /** Starts a task; it runs when the current one waits. Linux: `kthread_run()`. */
  spawn(name: string, body: () => Promise<void>): Task
  /** Lets every other task run until it has finished or waits, for something {@link external} too that has not come yet; throws what a task threw that nobody joined. */
  idle(): Promise<void>
  /** Offers the CPU to one other task that can run. Linux: `cond_resched()`. */
  condResched(): Promise<void>
  /**
   * Ends a turn of a retry loop that changed nothing and will see the same until another task writes what it read. Freely running it offers the CPU, as `condResched` does; a
   * scheduler that explores lets the task sleep until such a write, so the loop ends. Linux: `cpu_relax()`.
   */
  cpuRelax(): Promise<void>
  spinLock(lockClass: string): SpinLock
  mutex(lockClass: string): Mutex
  rwSemaphore(lockClass: string): RwSemaphore
  /** A pseudo lock that only the lock validator sees. Linux: `lock_map`. */
  lockMap(lockClass: string): LockMap
  waitQueue(name: string): WaitQueue
  completion(name: string): Completion
  seqCount(name: string): SeqCount
  srcu(name: string): Srcu
  workQueue(name: string): WorkQueue
  refcount(name: string, initial: number): Refcount
  cell<T>(name: string, value: T): Cell<T>
  /** What its owner frees by hand; a use after that is an error. */
  memory(name: string): Memory
  /**
   * Allocates memory, as far as others can tell: may sleep, and enter direct reclaim. Throws LOCKDEP where it may not sleep, or while the task holds a lock that
   * {@link reclaim} takes: reclaim on behalf of this very allocation would wait for it. Linux: `might_alloc()`, `kmalloc()`.
   */
  alloc(gfp: Gfp): Promise<void>
  /** Runs `body` as direct reclaim runs a shrinker: what it locks comes after `fs_reclaim`. Linux: `fs_reclaim_acquire()` around it. */
  reclaim<T>(body: () => Promise<T>): Promise<T>
  /** Throws LOCKDEP when the current task may not sleep. `what` completes "sleeps in …". Linux: `might_sleep()`. */
  mightSleep(what: string): void
  /** The only way to await a promise that is not the kernel's (a timer, I/O); other tasks run meanwhile. */
  external<T>(promise: PromiseLike<T>): Promise<T>
  /** Says what the step that is being performed, or was performed last by this task, means: for a scheduler's reports. `text` is called at once, and only for one. */
  note(text: () => string): void
  /** Emits a tracepoint. Synchronous; nearly free when nobody listens. */
  trace<K extends keyof TraceEvents>(name: K, ...args: TraceEvents[K]): void
  trace(name: string, ...args: readonly unknown[]): void
  /** Listens to a tracepoint, in the context of the task that emits it. @returns the function that unsubscribes */
  on<K extends keyof TraceEvents>(name: K, listener: (...args: TraceEvents[K]) => void): () => void
  on(name: string, listener: (...args: readonly unknown[]) => void): () => void
}

export interface KernelOptions {
  /** Switch tasks at random places too, reproducibly; without it a task runs until it has to wait. */
  readonly preemption?: Preemption
  /** Another scheduler than the free-running one, which `preemption` is for. */
  readonly scheduler?: (parts: SchedulerParts) => Scheduler
  /** The order of lock classes, when kernels are to share it; `false` leaves it unchecked. By default each kernel has its own. */
  readonly lockOrder?: LockOrder | false
}

/** A kernel; unless told otherwise it runs freely: uncontended operations are resolved promises, a task runs until it has to wait. */
export function createKernel(options: KernelOptions = {}): Kernel {
  const tracer = new Tracer()
  const { lockOrder = new LockOrder() } = options
  const lockdep = new Lockdep(lockOrder || undefined)
  const parts: SchedulerParts = {
    trace: (name, task) => {
      if (tracer.listens) tracer.emit(name, [task])
    },
  }
  const scheduler = options.scheduler?.(parts) ?? new RunToBlock(parts, options.preemption)
  return new ScheduledKernel(scheduler, lockdep, tracer)
}

class ScheduledKernel implements Kernel {
  readonly #scheduler: Scheduler
  readonly #lockdep: Lockdep
  readonly #tracer: Tracer
  /** Made when it is asked for: most kernels never allocate. */
  #reclaimMap: LockMap | undefined

  constructor(scheduler: Scheduler, lockdep: Lockdep, tracer: Tracer) {
    this.#scheduler = scheduler
    this.#lockdep = lockdep
    this.#tracer = tracer
  }

  get current(): Task {
    return this.#scheduler.current
  }

  get tasks(): readonly Task[] {
    return this.#scheduler.tasks
  }

  spawn(name: string, body: () => Promise<void>): Task {
    return this.#scheduler.spawn(name, body)
  }

  idle(): Promise<void> {
    return this.#scheduler.idle()
  }

  condResched(): Promise<void> {
    return refusedSleep(this.#scheduler, 'condResched') ?? this.#scheduler.condResched()
  }

  cpuRelax(): Promise<void> {
    return this.#scheduler.cpuRelax()
  }

  spinLock(lockClass: string): SpinLock {
    return this.#made(new KernelSpinLock(this.#scheduler, this.#lockdep, lockClass))
  }

  mutex(lockClass: string): Mutex {
    return this.#made(new KernelMutex(this.#scheduler, this.#lockdep, lockClass))
  }

  rwSemaphore(lockClass: string): RwSemaphore {
    return this.#made(new KernelRwSemaphore(this.#scheduler, this.#lockdep, lockClass))
  }

  lockMap(lockClass: string): LockMap {
    return new LockMap(this.#scheduler, this.#lockdep, lockClass)
  }

  waitQueue(name: string): WaitQueue {
    return this.#made(new KernelWaitQueue(this.#scheduler, name))
  }

  completion(name: string): Completion {
    return this.#made(new KernelCompletion(this.#scheduler, name))
  }

  seqCount(name: string): SeqCount {
    return this.#made(new KernelSeqCount(this.#scheduler, this.#lockdep, name))
  }

  srcu(name: string): Srcu {
    return this.#made(new KernelSrcu(this.#scheduler, this.#lockdep, name))
  }

  workQueue(name: string): WorkQueue {
    return this.#made(new KernelWorkQueue(this.#scheduler, this.#lockdep, name))
  }

  refcount(name: string, initial: number): Refcount {
    return this.#made(new KernelRefcount(this.#scheduler, name, initial))
  }

  cell<T>(name: string, value: T): Cell<T> {
    return this.#made(new KernelCell(this.#scheduler, name, value))
  }

  memory(name: string): Memory {
    return this.#made(new KernelMemory(this.#scheduler, name))
  }

  async alloc(gfp: Gfp): Promise<void> {
    if (!mayReclaim(gfp)) return
    this.mightSleep(`alloc ${gfp}`)
    // Who reclaims gets memory from the reserves.
    if (!this.current.held.some(({ lockClass }) => lockClass === FS_RECLAIM)) {
      this.#fsReclaim.acquire('read')
      this.#fsReclaim.release()
    }
    await this.#scheduler.condResched()
  }

  async reclaim<T>(body: () => Promise<T>): Promise<T> {
    this.#fsReclaim.acquire('read')
    try {
      return await body()
    } finally {
      this.#fsReclaim.release()
    }
  }

  mightSleep(what: string): void {
    mightSleep(this.current, what)
  }

  external<T>(promise: PromiseLike<T>): Promise<T> {
    return refusedSleep(this.#scheduler, 'external') ?? this.#scheduler.external(promise)
  }

  note(text: () => string): void {
    this.#scheduler.note?.(text)
  }

  trace(name: string, ...args: readonly unknown[]): void {
    this.#tracer.emit(name, args)
  }

  on(name: string, listener: (...args: never[]) => void): () => void {
    return this.#tracer.on(name, listener)
  }

  get #fsReclaim(): LockMap {
    return (this.#reclaimMap ??= new LockMap(this.#scheduler, this.#lockdep, FS_RECLAIM))
  }

  #made<P extends Target>(primitive: P): P {
    this.#scheduler.created?.(primitive)
    return primitive
  }
}
