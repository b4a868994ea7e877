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
  | 'read'
  | 'write'
  | 'update'

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
  /** False while the operation has to wait. No side effects; may be asked any number of times. */
  enabled(): boolean
  /** Performs it, when it is enabled. Synchronous; what it throws is thrown at the task's `await`. */
  perform(): T
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
}
