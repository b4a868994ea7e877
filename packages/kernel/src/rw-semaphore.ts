import { Lock } from './lock.ts'
import type { HeldLock, Lockdep } from './lockdep.ts'
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
  /** How a reader holds it. */
  readonly reader: HeldLock
  readers = 0
  written = false

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    super(scheduler, lockdep, lockClass, false)
    this.reader = { instance: this, lockClass, mode: 'read', spins: false }
  }

  lockRead(): Promise<void> {
    return this.acquire(LOCK_READ, this.reader, undefined, undefined)
  }

  lockWrite(options?: { readonly nested?: boolean }): Promise<void> {
    return this.acquire(LOCK_WRITE, this, options, undefined)
  }

  unlockRead(): Promise<void> {
    return this.scheduler.step(UNLOCK_READ, this, undefined, undefined)
  }

  unlockWrite(): Promise<void> {
    return this.scheduler.step(UNLOCK_WRITE, this, undefined, undefined)
  }

  downgrade(): Promise<void> {
    return this.scheduler.step(DOWNGRADE, this, undefined, undefined)
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

type Step = Operation<KernelRwSemaphore, undefined, undefined, void>

const LOCK_READ: Step = {
  kind: 'lock',
  note: '(read)',
  access: 'acquireShared',
  enabled: (semaphore) => !semaphore.written,
  perform(semaphore) {
    semaphore.readers++
    semaphore.acquired(semaphore.reader)
  },
}

const LOCK_WRITE: Step = {
  kind: 'lock',
  access: 'acquire',
  enabled: (semaphore) => !semaphore.written && semaphore.readers === 0,
  perform(semaphore) {
    semaphore.written = true
    semaphore.acquired()
  },
}

const UNLOCK_READ: Step = {
  kind: 'unlock',
  access: 'releaseShared',
  perform(semaphore) {
    semaphore.released()
    semaphore.readers--
  },
}

const UNLOCK_WRITE: Step = {
  kind: 'unlock',
  access: 'release',
  perform(semaphore) {
    semaphore.released()
    semaphore.written = false
  },
}

const DOWNGRADE: Step = {
  kind: 'unlock',
  access: 'downgrade',
  perform(semaphore) {
    semaphore.released()
    semaphore.written = false
    semaphore.readers++
    semaphore.acquired(semaphore.reader)
  },
}
