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
    /** It has returned: `done` is false when it refused, `finishes` true when it has a second pass. */
    'mmu_notifier:invalidated': [notifier: IntervalNotifier, range: InvalidateRange, done: boolean, finishes: boolean]
    /** A second pass has returned. */
    'mmu_notifier:finish': [range: InvalidateRange]
    /** The last user has gone and everybody was told: the mappings and page tables go next. */
    'mmu_notifier:teardown': [subscriptions: NotifierSubscriptions]
    /** Every callback, and its second pass, has returned: the caller may change the page tables. Or one has refused, and nothing was started. */
    'mmu_notifier:range_started': [range: InvalidateRange, subscriptions: NotifierSubscriptions, done: boolean]
    'mmu_notifier:tree_lock': [subscriptions: NotifierSubscriptions]
    'mmu_notifier:tree_unlock': [subscriptions: NotifierSubscriptions]
    /** A reader has its number; it has waited if it had to. */
    'mmu_notifier:read_begin': [notifier: IntervalNotifier, seq: number]
    'mmu_notifier:read_retry': [notifier: IntervalNotifier, seq: number, retry: boolean]
    'mmu_notifier:set_seq': [notifier: IntervalNotifier, seq: number]
    /** A reader waits for the period to end. */
    'mmu_notifier:wait': [notifier: IntervalNotifier]
    'mmu_notifier:insert': [notifier: IntervalNotifier]
    'mmu_notifier:find': [found: IntervalNotifier | undefined, start: number, last: number]
    /** A reference was taken. */
    'mmu_notifier:get': [notifier: IntervalNotifier]
    /** A reference was given back; if it was the last, the release follows, now or at the end of the period. */
    'mmu_notifier:put': [notifier: IntervalNotifier]
    'mmu_notifier:remove': [notifier: IntervalNotifier]
    /** `remove` is about to return. */
    'mmu_notifier:removed': [notifier: IntervalNotifier]
    'mmu_notifier:remove_deferred': [notifier: IntervalNotifier]
    /** Queued as one unit. */
    'mmu_notifier:batch': [removed: readonly IntervalNotifier[], inserted: readonly IntervalNotifier[], updated: readonly IntervalNotifier[]]
    /** The deferred operations of a frozen period, applied in one section: a dying notifier has left the tree, another has entered it. */
    'mmu_notifier:apply': [notifiers: readonly IntervalNotifier[]]
    /** `ops.release` is about to be called. */
    'mmu_notifier:release': [notifier: IntervalNotifier]
  }
}
