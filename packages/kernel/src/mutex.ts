import { Lock } from './lock.ts'
import type { How, Lockdep } from './lockdep.ts'
import { operation, type Operation, type Scheduler } from './scheduler.ts'

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
  /** Some task holds it. */
  state = false

  constructor(scheduler: Scheduler, lockdep: Lockdep, lockClass: string) {
    super(scheduler, lockdep, lockClass, false)
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

const TRY: How = { tryLock: true }

const LOCK: Operation<KernelMutex, undefined, undefined, void> = operation({
  kind: 'lock',
  access: 'acquire',
  enabled: (mutex) => !mutex.state,
  perform(mutex) {
    mutex.state = true
    mutex.acquired()
  },
})

const TRY_LOCK: Operation<KernelMutex, undefined, undefined, boolean> = operation({
  kind: 'trylock',
  access: 'write',
  changes: (held) => held === false,
  perform(mutex) {
    if (mutex.state) return false
    mutex.state = true
    mutex.acquired()
    return true
  },
})

const UNLOCK: Operation<KernelMutex, undefined, undefined, void> = operation({
  kind: 'unlock',
  access: 'release',
  perform(mutex) {
    mutex.released()
    mutex.state = false
  },
})
