import type { Acquisition, Lockdep } from './lockdep.ts'
import type { Scheduler } from './scheduler.ts'

/**
 * A pseudo lock: it never waits, and gives the lock validator an edge for a wait that is not a lock's. Linux: `lock_map_acquire()`, as in
 * `__mmu_notifier_invalidate_range_start_map`.
 */
export class LockMap {
  readonly lockClass: string
  readonly #scheduler: Scheduler
  readonly #lockdep: Lockdep

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    this.lockClass = lockClass
    this.#scheduler = scheduler
    this.#lockdep = lockdep
  }

  /**
   * The current task holds it from here to {@link release}. Readers may nest.
   * @param options.tryLock what it stands for never waits, so it is ordered after nothing
   */
  acquire(mode: 'read' | 'write', options?: { readonly tryLock?: boolean }): void {
    const tryLock = options?.tryLock ?? false
    const hold: Acquisition = { lock: this, lockClass: this.lockClass, mode, spins: false, recursive: mode === 'read', tryLock }
    const task = this.#scheduler.current
    this.#lockdep.check(task, hold)
    this.#lockdep.acquired(task, hold)
  }

  release(): void {
    this.#lockdep.released(this.#scheduler.current, this, this.lockClass)
  }
}
