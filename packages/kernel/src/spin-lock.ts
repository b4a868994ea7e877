import { Lock } from './lock.ts'
import type { How, Lockdep } from './lockdep.ts'
import { operation, type Operation, type Scheduler } from './scheduler.ts'

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
  /** @returns false, without waiting, when another task holds it. Linux: `spin_trylock()`. */
  tryLock(): Promise<boolean>
  /** Throws LOCKDEP unless the current task holds the lock. */
  assertHeld(): void
}

export class KernelSpinLock extends Lock implements SpinLock {
  /** Some task holds it. */
  state = false

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    super(scheduler, lockdep, lockClass, true)
  }

  section<T>(body: () => Immediate<T>): Promise<T> {
    return this.acquire(SECTION as Operation<KernelSpinLock, () => Immediate<T>, undefined, T>, this, undefined, body)
  }

  lock(): Promise<void> {
    return this.acquire(LOCK, this, undefined, undefined)
  }

  tryLock(): Promise<boolean> {
    return this.acquire(TRY_LOCK, this, TRY, undefined)
  }

  unlock(): Promise<void> {
    return this.scheduler.step(UNLOCK, this, undefined, undefined)
  }
}

const TRY: How = { tryLock: true }

const LOCK: Operation<KernelSpinLock, undefined, undefined, void> = operation({
  kind: 'lock',
  access: 'acquire',
  enabled: (lock) => !lock.state,
  perform(lock) {
    lock.state = true
    lock.acquired()
  },
})

const TRY_LOCK: Operation<KernelSpinLock, undefined, undefined, boolean> = operation({
  kind: 'trylock',
  access: 'write',
  changes: (held) => held === false,
  perform(lock) {
    if (lock.state) return false
    lock.state = true
    lock.acquired()
    return true
  },
})

const UNLOCK: Operation<KernelSpinLock, undefined, undefined, void> = operation({
  kind: 'unlock',
  access: 'release',
  perform(lock) {
    lock.released()
    lock.state = false
  },
})

const SECTION: Operation<KernelSpinLock, () => unknown, undefined> = operation({
  kind: 'section',
  access: 'acquire',
  enabled: (lock) => !lock.state,
  perform(lock, body) {
    lock.state = true
    lock.acquired()
    try {
      return body()
    } finally {
      lock.released()
      lock.state = false
    }
  },
})
