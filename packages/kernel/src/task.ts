import type { HeldLock } from './lockdep.ts'
import type { Operation } from './scheduler.ts'

/** A thread of control: one `async` body whose only awaits are marked operations. Linux: `struct task_struct`. */
export interface Task {
  /** 0 is `main`, the code that made the kernel. */
  readonly id: number
  readonly name: string
  /** True once the body has returned or thrown. */
  readonly finished: boolean
  /** The locks that the task holds now, oldest first. */
  readonly held: readonly HeldLock[]
  /** The operation that the task waits for, or undefined when it runs or has finished. */
  readonly waitsFor: Operation | undefined
  /** Waits until the body has ended; throws what it threw. */
  join(): Promise<void>
}
