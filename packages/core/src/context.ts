import type { Kernel, LockMap, SpinLock, WaitQueue } from '@mmu-notifier/kernel'
import type { Interval } from './interval.ts'
import type { Notifier } from './notifier.ts'
import type { IntervalNotifierOps } from './ops.ts'
import type { Applied, Protocol } from './protocol.ts'

/** What the core needs to know of an address space. Linux: `struct mm_struct`. */
export interface NotifiedMm {
  readonly name: string
  /** 0 once the address space is being torn down: intervals are refused from then on. Linux: `mm_users`. */
  readonly users: number
}

/** What the notifiers, tree locks and invalidations of one address space share. Linux: `struct notifier_subscriptions`. */
export interface Context {
  readonly kernel: Kernel
  readonly owner: NotifiedMm
  /** Innermost; around every call of `protocol`, and never across a callback. */
  readonly lock: SpinLock
  /** Stands for the wait until the last invalidation has ended. */
  readonly map: LockMap
  readonly queue: WaitQueue
  readonly protocol: Protocol<Notifier>
  /** A notifier that is not registered yet. EINVAL, RangeError. */
  create<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data): Notifier<Data>
  /** Counts it as outstanding, until it is released or forgotten. */
  readonly register: (notifier: Notifier) => void
  readonly forget: (notifier: Notifier) => void
  /** Runs the release of each. */
  readonly finish: (released: readonly Notifier[]) => Promise<void>
  /**
   * What follows the end of a range or tree lock: wakes the waiters first, so that a long release does not delay a reader, then `finish`.
   */
  readonly wake: (ended: Applied<Notifier> | undefined) => Promise<void>
}
