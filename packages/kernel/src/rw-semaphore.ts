import { Lock } from './lock.ts'
import { mightSleep, type HeldLock, type How, type Lockdep } from './lockdep.ts'
import { operation, type Operation, type Scheduler } from './scheduler.ts'

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
  /** @returns false, without waiting, when a writer holds it. Linux: `down_read_trylock()`. */
  tryLockRead(): Promise<boolean>
  /** @param options.nested a second one of the same class, in an order that the caller guarantees (fork: parent, then child) */
  lockWrite(options?: { readonly nested?: boolean }): Promise<void>
  unlockWrite(): Promise<void>
  /** @returns false, without waiting, when anybody holds it. Linux: `down_write_trylock()`. */
  tryLockWrite(): Promise<boolean>
  /** Turns the writer into a reader without a gap. Linux: `downgrade_write()`. */
  downgrade(): Promise<void>
  /** Runs `body` with the lock held for read. */
  read<T>(body: () => Promise<T>): Promise<T>
  /** Runs `body` with the lock held for write. */
  write<T>(body: () => Promise<T>): Promise<T>
  /** Throws LOCKDEP unless the current task holds the lock: for `mode`, or for read or write. */
  assertHeld(mode?: 'write'): void
  /** Tells the lock validator that the current task may take it for write here, as if it did. Throws LOCKDEP, as taking it would. Linux: `might_lock()`. */
  mightLockWrite(): void
}

export class KernelRwSemaphore extends Lock implements RwSemaphore {
  /** How a reader holds it. */
  readonly reader: HeldLock
  /** How many readers hold it; -1 for a writer. */
  state = 0

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

  tryLockRead(): Promise<boolean> {
    return this.acquire(TRY_LOCK_READ, this.reader, TRY, undefined)
  }

  tryLockWrite(): Promise<boolean> {
    return this.acquire(TRY_LOCK_WRITE, this, TRY, undefined)
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

  override assertHeld(mode?: 'write'): void {
    this.lockdep.assertHeld(this.scheduler.current, this, this.lockClass, mode)
  }

  mightLockWrite(): void {
    const task = this.scheduler.current
    mightSleep(task, 'lock', this.lockClass)
    this.lockdep.check(task, this)
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

const TRY: How = { tryLock: true }

type Step<Result = void> = Operation<KernelRwSemaphore, undefined, undefined, Result>

const LOCK_READ: Step = operation({
  kind: 'lock',
  note: '(read)',
  access: 'acquireShared',
  enabled: ({ state }) => state >= 0,
  perform(semaphore) {
    semaphore.state++
    semaphore.acquired(semaphore.reader)
  },
})

const LOCK_WRITE: Step = operation({
  kind: 'lock',
  access: 'acquire',
  enabled: ({ state }) => state === 0,
  perform(semaphore) {
    semaphore.state = -1
    semaphore.acquired()
  },
})

const TRY_LOCK_READ: Step<boolean> = operation({
  kind: 'trylock',
  note: '(read)',
  access: 'write',
  changes: (state) => (state as number) >= 0,
  perform(semaphore) {
    if (semaphore.state < 0) return false
    semaphore.state++
    semaphore.acquired(semaphore.reader)
    return true
  },
})

const TRY_LOCK_WRITE: Step<boolean> = operation({
  kind: 'trylock',
  access: 'write',
  changes: (state) => state === 0,
  perform(semaphore) {
    if (semaphore.state !== 0) return false
    semaphore.state = -1
    semaphore.acquired()
    return true
  },
})

const UNLOCK_READ: Step = operation({
  kind: 'unlock',
  access: 'releaseShared',
  perform(semaphore) {
    semaphore.released(semaphore.reader)
    semaphore.state--
  },
})

const UNLOCK_WRITE: Step = operation({
  kind: 'unlock',
  access: 'release',
  perform(semaphore) {
    semaphore.released()
    semaphore.state = 0
  },
})

const DOWNGRADE: Step = operation({
  kind: 'unlock',
  access: 'downgrade',
  perform(semaphore) {
    semaphore.released()
    semaphore.state = 1
    semaphore.acquired(semaphore.reader)
  },
})
