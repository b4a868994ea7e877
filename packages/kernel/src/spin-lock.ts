import { Lock } from './lock.ts'
import type { Acquisition, Lockdep } from './lockdep.ts'
import type { Operation, Scheduler } from './scheduler.ts'
import type { Task } from './task.ts'

/** Anything but a promise: what a section may return. */
export type Immediate<T> = T extends PromiseLike<unknown> ? never : T

/** A lock under which nobody may sleep. Linux: `spinlock_t`. */
export interface SpinLock {
  readonly lockClass: string
  /**
   * Lock, `body`, unlock as one step. `body` is synchronous and performs no marked operation, so sleeping inside is impossible.
   * @returns what `body` returns
   */
  section<T>(body: () => Immediate<T>): Promise<T>
  lock(): Promise<void>
  unlock(): Promise<void>
  /** Throws LOCKDEP unless the current task holds the lock. */
  assertHeld(): void
}

export class KernelSpinLock extends Lock implements SpinLock {
  readonly #hold: Acquisition
  readonly #lock: Operation<void>
  readonly #unlock: Operation<void>
  readonly #free = (): boolean => this.#owner === undefined
  #owner: Task | undefined

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    super(scheduler, lockdep, lockClass)
    this.#hold = { lock: this, lockClass, mode: 'write', spins: true }
    this.#lock = { kind: 'lock', object: lockClass, target: this, access: 'acquire', enabled: this.#free, perform: () => { this.#take() } }
    this.#unlock = { kind: 'unlock', object: lockClass, target: this, access: 'release', enabled: () => true, perform: () => { this.#give() } }
  }

  section<T>(body: () => Immediate<T>): Promise<T> {
    return this.ordered<T>(this.#hold, {
      kind: 'section',
      object: this.lockClass,
      target: this,
      access: 'acquire',
      enabled: this.#free,
      perform: () => {
        this.#take()
        try {
          return body()
        } finally {
          this.#give()
        }
      },
    })
  }

  lock(): Promise<void> {
    return this.ordered(this.#hold, this.#lock)
  }

  unlock(): Promise<void> {
    return this.scheduler.step(this.#unlock)
  }

  #take(): void {
    this.#owner = this.acquired(this.#hold)
  }

  #give(): void {
    this.released()
    this.#owner = undefined
  }
}
