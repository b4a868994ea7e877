import type { HeldLock, Lockdep } from './lockdep.ts'
import type { Scheduler } from './scheduler.ts'

/**
 * A pseudo lock: it never waits, and gives the lock validator an edge for a wait that is not a lock's. Linux: `lock_map_acquire()`, as in
 * `__mmu_notifier_invalidate_range_start_map`.
 */
export class LockMap {
  readonly lockClass: string
  readonly #scheduler: Scheduler
  readonly #lockdep: Lockdep
  readonly #reader: HeldLock
  readonly #writer: HeldLock

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    this.lockClass = lockClass
    this.#scheduler = scheduler
    this.#lockdep = lockdep
    this.#reader = { instance: this, lockClass, mode: 'read', spins: false }
    this.#writer = { instance: this, lockClass, mode: 'write', spins: false }
  }

  /**
   * The current task holds it from here to {@link release}. Readers may nest.
   * @param options.tryLock what it stands for never waits, so it is ordered after nothing, and may nest in whatever is held
   */
  acquire(mode: 'read' | 'write', options?: { readonly tryLock?: boolean }): void {
    const task = this.#scheduler.current
    const hold = mode === 'read' ? this.#reader : this.#writer
    if (options?.tryLock !== true) this.#lockdep.check(task, hold, { recursive: mode === 'read' })
    task.held.push(hold)
  }

  release(): void {
    const task = this.#scheduler.current
    this.#lockdep.released(task, task.held.findLast(({ instance }) => instance === this) ?? this.#writer)
  }
}
