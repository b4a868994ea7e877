import type { TaskRecord } from './task.ts'

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
  | 'complete'
  | 'synchronize'
  | 'queue'
  | 'flush'
  | 'relax'
  | 'read'
  | 'write'
  | 'update'

/**
 * How an operation acts on its target. Two operations on one target commute unless one of them changes it; an acquisition waits for releases, shared ones
 * not for each other.
 */
export type Access = 'none' | 'read' | 'write' | 'acquire' | 'acquireShared' | 'release' | 'releaseShared' | 'downgrade'

/** What operations act on, by identity: a lock, a cell, a queue, a task. */
export interface Target {
  readonly name: string
  /** The scheduler's: set it in {@link Scheduler.created}. */
  id: number
  /** What {@link Operation.changes} and {@link Operation.possible} look at: immutable, or equal as long as nothing has changed. */
  readonly state?: unknown
  /** The error code of a plain access that nothing orders against another one; RACE by default. */
  readonly raceCode?: string
}

/** What {@link Operation.perform} returns for a step after which the task is to wait with the same operation. */
export const AGAIN: unique symbol = Symbol('again')

/**
 * One kind of marked operation: what another CPU could observe, performed as a whole, in one step. It is a constant; what it acts on, and with, comes with each
 * {@link Scheduler.step}.
 *
 * The primitives of this package are written against operations only, so a scheduler decides which task performs which of its operations
 * when without knowing a single primitive.
 */
export interface Operation<On extends Target = Target, A = unknown, B = unknown, Result = unknown> {
  readonly kind: OperationKind
  /** A section acquires its lock and has released it when the step is over; what it touches inside through {@link Scheduler.touched} belongs to it as well. */
  readonly access: Access
  /** What a report says behind the target's name. */
  readonly note?: string
  /** False while the operation has to wait; left out when it never does. No side effects; may be asked any number of times. */
  enabled?(this: void, target: On, a: A, b: B): boolean
  /**
   * Performs it, when it is enabled. Synchronous; what it throws is thrown at the task's `await`.
   * @param way which of {@link ways}, or undefined for the usual one
   */
  perform(this: void, target: On, a: A, b: B, way?: number): Result | typeof AGAIN
  /** For a write that may turn out to be a read (a failed compare-exchange or trylock): whether it changes a target in this state. Pure. */
  changes?(this: void, state: unknown, a: A): boolean
  /** For an operation that reads or writes and has to wait for a state of its target alone: whether this is one. Pure; what `enabled` says. */
  possible?(this: void, state: unknown, a: A): boolean
  /** For a wait: what its predicate says now, woken or not. */
  ready?(this: void, target: On, a: A): boolean
  /** How many ways there are to perform it now, when that is not decided by the program (which sleeper is woken); at least 1. */
  ways?(this: void, target: On): number
}

/** An {@link Operation}, made so that all have one shape: a scheduler looks at each of them several times for every step. */
export function operation<On extends Target, A, B, Result>(given: Operation<On, A, B, Result>): Operation<On, A, B, Result> {
  const { kind, access, note, enabled, perform, changes, possible, ready, ways } = given
  return { kind, access, note, enabled, perform, changes, possible, ready, ways } as Operation<On, A, B, Result>
}

/**
 * The one seam through which a scheduler takes control.
 *
 * Exactly one task runs at a time. It runs from the operation that it was allowed to perform to its next one; `current` is therefore right
 * at every line of it, as long as it awaits nothing but marked operations.
 */
export interface Scheduler {
  readonly current: TaskRecord
  /** All tasks that have not finished, `main` first. */
  readonly tasks: readonly TaskRecord[]
  spawn(name: string, body: () => Promise<void>): TaskRecord
  /** Performs an operation for the current task, when its turn has come. */
  step<On extends Target, A, B, Result>(operation: Operation<On, A, B, Result>, target: On, a: A, b: B): Promise<Result>
  /** What the current task awaits in place of an operation that it must not even start. */
  failed(error: unknown): Promise<never>
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
  /** What the step that is being performed, or the current task's last one, means. */
  note?(text: () => string): void
  /** A cell's value is about to be read or written without a marked operation, by the current task: inside a section or predicate, or in plain code. */
  touched?(target: Target, access: 'read' | 'write'): void
}

/** What the kernel gives a scheduler. */
export interface SchedulerParts {
  readonly trace: (name: 'sched:spawn' | 'sched:exit', task: TaskRecord) => void
}
