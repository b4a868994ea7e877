import { Lock } from './lock.ts'
import type { Acquisition, Lockdep } from './lockdep.ts'
import type { Operation, Scheduler } from './scheduler.ts'

/**
 * Many readers or one writer; holders may sleep. Linux: `struct rw_semaphore`.
 *
 * A waiting writer does not hold back readers here (in Linux it does): every schedule that Linux allows is allowed, and some more. Taking
 * it for read twice is an error all the same, because in Linux a writer between the two deadlocks.
 */
export interface RwSemaphore {
  readonly lockClass: string
  lockRead(): Promise<void>
  unlockRead(): Promise<void>
  /** @param options.nested a second one of the same class, in an order that the caller guarantees (fork: parent, then child) */
  lockWrite(options?: { readonly nested?: boolean }): Promise<void>
  unlockWrite(): Promise<void>
  /** Turns the writer into a reader without a gap. Linux: `downgrade_write()`. */
  downgrade(): Promise<void>
  /** Runs `body` with the lock held for read. */
  read<T>(body: () => Promise<T>): Promise<T>
  /** Runs `body` with the lock held for write. */
  write<T>(body: () => Promise<T>): Promise<T>
  /** Throws LOCKDEP unless the current task holds the lock, for read or write. */
  assertHeld(): void
}

export class KernelRwSemaphore extends Lock implements RwSemaphore {
  readonly #reader: Acquisition
  readonly #writer: Acquisition
  readonly #lockRead: Operation<void>
  readonly #lockWrite: Operation<void>
  #readers = 0
  #written = false

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    super(scheduler, lockdep, lockClass)
    this.#reader = { lock: this, lockClass, mode: 'read', spins: false }
    this.#writer = { lock: this, lockClass, mode: 'write', spins: false }
    this.#lockRead = {
      kind: 'lock',
      object: `${lockClass} (read)`,
      target: this,
      access: 'acquireShared',
      enabled: () => !this.#written,
      perform: () => {
        this.acquired(this.#reader)
        this.#readers++
      },
    }
    this.#lockWrite = {
      kind: 'lock',
      object: lockClass,
      target: this,
      access: 'acquire',
      enabled: () => !this.#written && this.#readers === 0,
      perform: () => {
        this.acquired(this.#writer)
        this.#written = true
      },
    }
  }

  lockRead(): Promise<void> {
    return this.ordered(this.#reader, this.#lockRead)
  }

  lockWrite(options?: { readonly nested?: boolean }): Promise<void> {
    return this.ordered(options?.nested ? { ...this.#writer, nested: true } : this.#writer, this.#lockWrite)
  }

  unlockRead(): Promise<void> {
    return this.#unlock('releaseShared', () => this.#readers--)
  }

  unlockWrite(): Promise<void> {
    return this.#unlock('release', () => { this.#written = false })
  }

  downgrade(): Promise<void> {
    return this.#unlock('downgrade', () => {
      this.#written = false
      this.#readers++
      this.acquired(this.#reader)
    })
  }

  #unlock(access: 'release' | 'releaseShared' | 'downgrade', perform: () => void): Promise<void> {
    return this.scheduler.step({
      kind: 'unlock',
      object: this.lockClass,
      target: this,
      access,
      enabled: () => true,
      perform: () => {
        this.released()
        perform()
      },
    })
  }

  async read<T>(body: () => Promise<T>): Promise<T> {
    await this.lockRead()
    try {
      return await body()
    } finally {
      await this.unlockRead()
    }
  }

  async write<T>(body: () => Promise<T>): Promise<T> {
    await this.lockWrite()
    try {
      return await body()
    } finally {
      await this.unlockWrite()
    }
  }
}
