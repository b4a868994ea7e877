/// <reference lib="esnext.disposable" preserve="true" />
import './trace.ts'

export type { MmuNotifier, MmuNotifierOps } from './classic.ts'
export { hex, type AddressRange, type Interval } from './interval.ts'
export { INVARIANTS, type Invariant, type InvariantRow } from './invariant-table.ts'
export { Invariants, type InvariantsOptions } from './invariants.ts'
export type { IntervalNotifier } from './notifier.ts'
export { NotifiedMm, type NotifiedMmOptions } from './notified-mm.ts'
export type { IntervalNotifierOps, InvalidateEvent, InvalidateFinish, InvalidateRange, InvalidateRequest } from './ops.ts'
export { assertNotInCallback, RULES, type Rule } from './rules.ts'
export { NotifierSubscriptions } from './subscriptions.ts'
export type { BatchRequest, Insertion, TreeReadLock, TreeView } from './tree-lock.ts'
