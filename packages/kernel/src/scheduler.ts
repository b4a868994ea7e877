import type { HeldLock } from './lockdep.ts'
import type { Task } from './task.ts'

export type OperationKind =
  | 'start'
  | 'join'
  | 'idle'
  | 'yield'
  | 'external'
  | 'lock'
  | 'trylock'
  | 'unlock'
  | 'section'
  | 'wait'
  | 'wake'
  | 'relax'
  | 'read'
  | 'write'
  | 'update'

/**
 * How an operation acts on its target. Two operations on one target commute unless one of them changes it; an acquisition waits for releases, shared ones
 * not for each other.
 */
export type Access = 'none' | 'read' | 'write' | 'acquire' | 'acquireShared' | 'release' | 'releaseShared' | 'downgrade'

/** What operations act on, by identity: a lock, a cell, a queue, a task. Its property `state`, if it has one, is what {@link Operation.changes} looks at. */
export type Target = object

/**
 * One marked operation of the running task: what another CPU could observe. It is performed as a whole, in one step.
 *
 * The primitives of this package are written against operations only, so a scheduler decides which task performs which of its operations
 * when without knowing a single primitive.
 */
export interface Operation<T = unknown> {
  readonly kind: OperationKind
  /** What it acts on: a lock class, the name of a cell or queue. For reports. */
  readonly object: string
  readonly target: Target
  /** A section acquires its lock and has released it when the step is over; what it touches inside through {@link Scheduler.touched} belongs to it as well. */
  readonly access: Access
  /** For a write that may turn out to be a read (a failed compare-exchange or trylock): whether it changes a target in this state. Pure. */
  readonly changes?: (state: unknown) => boolean
  /** False while the operation has to wait. No side effects; may be asked any number of times. */
  enabled(): boolean
  /** Performs it, when it is enabled. Synchronous; what it throws is thrown at the task's `await`. */
  perform(): T
  /** For a wait: what its predicate says now, woken or not. */
  readonly ready?: () => boolean
}

/**
 * The one seam through which a scheduler takes control.
 *
 * Exactly one task runs at a time. It runs from the operation that it was allowed to perform to its next one; `current` is therefore right
 * at every line of it, as long as it awaits nothing but marked operations.
 */
export interface Scheduler {
  readonly current: Task
  /** All tasks that have not finished, `main` first. */
  readonly tasks: readonly Task[]
  spawn(name: string, body: () => Promise<void>): Task
  /** Performs `operation` for the current task, when its turn has come. */
  step<T>(operation: Operation<T>): Promise<T>
  /** The only way to await something that is not the kernel's; other tasks run meanwhile. */
  external<T>(promise: PromiseLike<T>): Promise<T>
  /** Lets every other task run until it has finished or waits. */
  idle(): Promise<void>
  /** Offers the CPU to another task. */
  condResched(): Promise<void>
  /** The end of a turn of a retry loop that changed nothing and will see the same until another task writes. */
  cpuRelax(): Promise<void>
  /** A primitive was made, by the current task. */
  created?(target: Target): void
  /** A cell's value is about to be read or written without a marked operation, by the current task: inside a section or predicate, or in plain code. */
  touched?(target: Target, access: 'read' | 'write'): void
}

/** What the kernel gives a scheduler. */
export interface SchedulerParts {
  /** The locks that a task holds, oldest first. */
  held(task: Task): readonly HeldLock[]
  trace(name: 'sched:spawn' | 'sched:exit', task: Task): void
}
