import type { IntervalNotifier } from './notifier.ts'
import type { InvalidateRange } from './ops.ts'
import type { NotifierSubscriptions } from './subscriptions.ts'

declare module '@mmu-notifier/kernel' {
  interface TraceEvents {
    /** Counted, and the tree looked up; no callback was called yet. */
    'mmu_notifier:range_start': [range: InvalidateRange, subscriptions: NotifierSubscriptions]
    /** The caller has changed the page tables; nobody was woken yet. */
    'mmu_notifier:range_end': [range: InvalidateRange, subscriptions: NotifierSubscriptions]
    /** A callback is about to be called. */
    'mmu_notifier:invalidate': [notifier: IntervalNotifier, range: InvalidateRange]
    /** A reader waits for the period to end. */
    'mmu_notifier:wait': [notifier: IntervalNotifier]
    /** A reader learns that it has to start again. */
    'mmu_notifier:retry': [notifier: IntervalNotifier]
    'mmu_notifier:insert': [notifier: IntervalNotifier]
    'mmu_notifier:find': [found: IntervalNotifier | undefined, start: number, last: number]
    /** A reference was taken. */
    'mmu_notifier:get': [notifier: IntervalNotifier]
    /** A reference was given back; if it was the last, the release follows, now or at the end of the period. */
    'mmu_notifier:put': [notifier: IntervalNotifier]
    'mmu_notifier:remove': [notifier: IntervalNotifier]
    'mmu_notifier:remove_deferred': [notifier: IntervalNotifier]
    /** Queued as one unit. */
    'mmu_notifier:batch': [removed: readonly IntervalNotifier[], inserted: readonly IntervalNotifier[]]
    /** The deferred operations of a frozen period, applied in one section: a dying notifier has left the tree, another has entered it. */
    'mmu_notifier:apply': [notifiers: readonly IntervalNotifier[]]
    /** `ops.release` is about to be called. */
    'mmu_notifier:release': [notifier: IntervalNotifier]
  }
}
