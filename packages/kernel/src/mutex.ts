import { Lock } from './lock.ts'
import type { Acquisition, Lockdep } from './lockdep.ts'
import type { Operation, Scheduler } from './scheduler.ts'
import type { Task } from './task.ts'

/** A lock whose holder may sleep. Linux: `struct mutex`. */
export interface Mutex {
  readonly lockClass: string
  lock(): Promise<void>
  unlock(): Promise<void>
  /** @returns false, without waiting, when another task holds it */
  tryLock(): Promise<boolean>
  /**
   * How a notifier callback takes its user lock: waits when the invalidation may block, tries when it must not.
   * @returns false when it was not taken: the callback then returns false before it has changed anything
   */
  lockFor(context: { readonly blockable: boolean }): Promise<boolean>
  /** `lock`, `body`, `unlock`, whatever `body` does. */
  with<T>(body: () => Promise<T>): Promise<T>
  /** Throws LOCKDEP unless the current task holds the lock. */
  assertHeld(): void
}

export class KernelMutex extends Lock implements Mutex {
  readonly #hold: Acquisition
  readonly #tryHold: Acquisition
  readonly #lock: Operation<void>
  readonly #tryLock: Operation<boolean>
  readonly #unlock: Operation<void>
  #owner: Task | undefined

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    super(scheduler, lockdep, lockClass)
    this.#hold = { lock: this, lockClass, mode: 'write', spins: false }
    this.#tryHold = { ...this.#hold, tryLock: true }
    this.#lock = {
      kind: 'lock',
      object: lockClass,
      target: this,
      access: 'acquire',
      enabled: () => this.#owner === undefined,
      perform: () => { this.#owner = this.acquired(this.#hold) },
    }
    this.#tryLock = {
      kind: 'trylock',
      object: lockClass,
      target: this,
      access: 'write',
      changes: (owned) => owned === false,
      enabled: () => true,
      perform: () => {
        if (this.#owner) return false
        this.#owner = this.acquired(this.#tryHold)
        return true
      },
    }
    this.#unlock = {
      kind: 'unlock',
      object: lockClass,
      target: this,
      access: 'release',
      enabled: () => true,
      perform: () => {
        this.released()
        this.#owner = undefined
      },
    }
  }

  get state(): boolean {
    return this.#owner !== undefined
  }

  lock(): Promise<void> {
    return this.ordered(this.#hold, this.#lock)
  }

  tryLock(): Promise<boolean> {
    return this.ordered(this.#tryHold, this.#tryLock)
  }

  unlock(): Promise<void> {
    return this.scheduler.step(this.#unlock)
  }

  async lockFor(context: { readonly blockable: boolean }): Promise<boolean> {
    if (!context.blockable) return this.tryLock()
    await this.lock()
    return true
  }

  async with<T>(body: () => Promise<T>): Promise<T> {
    await this.lock()
    try {
      return await body()
    } finally {
      await this.unlock()
    }
  }
}
