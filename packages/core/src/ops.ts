import type { AddressRange, Interval } from './interval.ts'
import type { IntervalNotifier } from './notifier.ts'
import type { TreeView } from './tree-lock.ts'

/**
 * Why a range is invalidated. Linux: `enum mmu_notifier_event`.
 *
 * | event | Linux | what happens to the range |
 * | --- | --- | --- |
 * | `unmap` | `MMU_NOTIFY_UNMAP` | its VMAs go away: munmap, the old place of mremap |
 * | `clear` | `MMU_NOTIFY_CLEAR` | entries are cleared or changed: reclaim, COW, madvise |
 * | `protectionVma` | `MMU_NOTIFY_PROTECTION_VMA` | mprotect |
 * | `protectionPage` | `MMU_NOTIFY_PROTECTION_PAGE` | entries become read-only: fork, write-back |
 * | `softDirty` | `MMU_NOTIFY_SOFT_DIRTY` | entries are write-protected for dirty tracking |
 * | `release` | `MMU_NOTIFY_RELEASE` | the address space ends |
 * | `migrate` | `MMU_NOTIFY_MIGRATE` | pages move to or from the memory of device `owner` |
 * | `exclusive` | `MMU_NOTIFY_EXCLUSIVE` | device `owner` gets exclusive access |
 */
export type InvalidateEvent =
  | 'unmap'
  | 'clear'
  | 'protectionVma'
  | 'protectionPage'
  | 'softDirty'
  | 'release'
  | 'migrate'
  | 'exclusive'

/** What the invalidator says of its range. Linux: `mmu_notifier_range_init_owner()`. */
export interface InvalidateRequest extends AddressRange {
  readonly event: InvalidateEvent
  /** Whose doing it is, for `migrate` and `exclusive`: a driver may ignore its own. */
  readonly owner?: unknown
}

/** An invalidation under way, from its start to its end. Linux: `struct mmu_notifier_range`. */
export interface InvalidateRange extends AddressRange {
  readonly event: InvalidateEvent
  readonly owner: unknown
  /**
   * False when no callback may wait (the OOM reaper): try the user lock and return false if it is taken. Linux:
   * `mmu_notifier_range_blockable()`.
   */
  readonly blockable: boolean
  /** The tree, which is locked for read as long as this invalidation runs. */
  readonly tree: TreeView
  /** The part of the range inside `interval`, closed: what a callback has to unmap. A range that misses the interval is a RangeError. */
  within(interval: Interval): Interval
}

/** The second pass of a callback: waits until the device has stopped using what the first one took from it. Linux: `invalidate_finish`. */
export type InvalidateFinish = () => Promise<void>

/**
 * What a driver hands in with its intervals. Its identity is also the driver's: `find` returns only notifiers with the same ops. Linux:
 * `struct mmu_interval_notifier_ops`.
 *
 * @typeParam Data what the driver hangs on each notifier (the kernel embeds the notifier instead, and uses `container_of`)
 */
export interface IntervalNotifierOps<Data = unknown> {
  /**
   * The CPU mapping of `range` is about to change. When this returns true, the device no longer uses any translation of it, and will not
   * until a reader has gone through `readBegin` … `readRetry` again.
   *
   * 1. Take the user lock: the one under which the driver calls `readRetry` and programs the device. `range.blockable` false: try it, and
   *    return false if it is taken.
   * 2. `await notifier.setSeq(seq)`: always, also when nothing is mapped, because a reader may have read the CPU page table but not
   *    programmed yet.
   * 3. Unmap `range.within(notifier)`, flush, and wait for the device.
   * 4. Release the user lock. After `unmap`, `range.tree.batch` may replace what `range.tree.find` returns by what is left of it.
   *
   * The notifier may be dying already: an interval whose removal is deferred is called until it has left the tree. What `unmap` leaves of
   * the driver's intervals is therefore a question for `range.tree.find`, which skips it and sees the parts that an earlier batch has put
   * in its place.
   *
   * It may sleep if the range is blockable. It must not wait for a sequence (`readBegin`, `remove`, `synchronize`), read CPU page tables,
   * allocate with direct reclaim, or take a lock that is held elsewhere around any of those.
   *
   * To let several devices work at once, only start the flush in step 3, and return a function that waits for it: all of them are called when every callback has returned,
   * and before the CPU mapping changes; also when one has refused. Steps 1, 2 and 4 stay here. Linux: `invalidate_start`, its finish object, and `invalidate_finish`.
   * @returns false only when the range is not blockable and nothing was done
   */
  invalidate(notifier: IntervalNotifier<Data>, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish>
  /**
   * The notifier is out of the tree, its last callback has returned and its last reference is gone: free what hangs on it. Called exactly
   * once, but never for a notifier that `remove()` removed.
   *
   * It runs in the context of whoever was last: the caller of `put`, the unlocker of the tree, or the task whose invalidation ended. So it
   * must not take the user lock if the driver calls `put` under it, nor the mmap lock, and must not sleep for long: or see {@link releaseInWorker}.
   */
  release?(notifier: IntervalNotifier<Data>): Promise<void> | void
  /** `release` is run by a worker: it may lock, allocate and sleep as it likes. It comes later; `synchronize` waits for it all the same. */
  readonly releaseInWorker?: boolean
}
