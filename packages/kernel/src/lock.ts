import type { Acquisition, Lockdep } from './lockdep.ts'
import type { Operation, Scheduler } from './scheduler.ts'
import type { Task } from './task.ts'

/** What all locks share: the order check before the wait, the record of who holds it, the check at unlock. */
export abstract class Lock {
  readonly lockClass: string
  protected readonly scheduler: Scheduler
  protected readonly lockdep: Lockdep

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    this.scheduler = scheduler
    this.lockdep = lockdep
    this.lockClass = lockClass
  }

  protected ordered<T>(hold: Acquisition, operation: Operation<T>): Promise<T> {
    const task = this.scheduler.current
    try {
      if (!hold.spins && !hold.tryLock) this.lockdep.mightSleep(task, `${operation.kind} ${this.lockClass}`)
      this.lockdep.check(task, hold)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.scheduler.step(operation)
  }

  /** @returns the task that holds it now */
  protected acquired(hold: Acquisition): Task {
    const task = this.scheduler.current
    this.lockdep.acquired(task, hold)
    return task
  }

  protected released(): void {
    this.lockdep.released(this.scheduler.current, this, this.lockClass)
  }

  /** Throws LOCKDEP unless the current task holds the lock. Linux: `lockdep_assert_held()`. */
  assertHeld(): void {
    this.lockdep.assertHeld(this.scheduler.current, this, this.lockClass)
  }
}
