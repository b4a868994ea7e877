import { mightSleep, type HeldLock, type How, type Lockdep } from './lockdep.ts'
import type { Operation, Scheduler, Target } from './scheduler.ts'

/** What all locks share: the order check before the wait, the record of who holds it, the check at unlock. A lock stands for itself, held for write. */
export abstract class Lock implements HeldLock, Target {
  id = 0
  readonly lockClass: string
  readonly mode: 'read' | 'write' = 'write'
  readonly spins: boolean
  readonly scheduler: Scheduler
  readonly lockdep: Lockdep

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string, spins: boolean) {
    this.scheduler = scheduler
    this.lockdep = lockdep
    this.lockClass = lockClass
    this.spins = spins
  }

  get name(): string {
    return this.lockClass
  }

  get instance(): object {
    return this
  }

  /** Starts an acquisition, when its place in the order of locks is right and the task may sleep, should it have to. */
  protected acquire<A, T>(operation: Operation<this, A, undefined, T>, hold: HeldLock, how: How | undefined, a: A): Promise<T> {
    const task = this.scheduler.current
    if (task.held.length > 0) {
      try {
        if (!hold.spins && !how?.tryLock) mightSleep(task, operation.kind, this.lockClass)
        this.lockdep.check(task, hold, how)
      } catch (error) {
        return this.scheduler.failed(error)
      }
    }
    return this.scheduler.step(operation, this, a, undefined)
  }

  /** Throws LOCKDEP unless the current task holds the lock. Linux: `lockdep_assert_held()`. */
  assertHeld(): void {
    this.lockdep.assertHeld(this.scheduler.current, this, this.lockClass)
  }

  /** The current task, whose operation is being performed, holds `hold` from now on. */
  acquired(hold: HeldLock = this): void {
    this.scheduler.current.held.push(hold)
  }

  /** @throws LOCKDEP when the current task does not hold `hold` */
  released(hold: HeldLock = this): void {
    this.lockdep.released(this.scheduler.current, hold)
  }
}
