import type { HeldLock } from './lockdep.ts'
import { operation, type Operation, type Target } from './scheduler.ts'
import type { Task } from './task.ts'

/**
 * A stretch of one task's time whose end others wait for: a read section of {@link Srcu}, an item of a {@link WorkQueue}. While it lasts it is a pseudo lock of its task.
 *
 * It is an object of its own, so a wait for its end depends on that end alone, and on nothing that other tasks do to the domain or queue.
 */
export class Span implements HeldLock, Target {
  id = 0
  /** It is over. */
  state = false
  readonly lockClass: string
  readonly mode: 'read' | 'write'
  /** The domain or queue. */
  readonly instance: object
  readonly spins = false
  /** Who made it. */
  readonly task: Task

  constructor(instance: object, lockClass: string, mode: 'read' | 'write', task: Task) {
    this.instance = instance
    this.lockClass = lockClass
    this.mode = mode
    this.task = task
  }

  get name(): string {
    return this.lockClass
  }
}

export const WAIT_OUT: Operation<Span, undefined, undefined, void> = operation({
  kind: 'wait',
  access: 'read',
  enabled: (span) => span.state,
  possible: (over) => over === true,
  perform: () => undefined,
})
