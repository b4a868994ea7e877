/// <reference lib="esnext.disposable" preserve="true" />
import './trace.ts'

export type { NotifiedMm } from './context.ts'
export { hex, type AddressRange, type Interval } from './interval.ts'
export type { IntervalNotifier } from './notifier.ts'
export type { IntervalNotifierOps, InvalidateEvent, InvalidateRange, InvalidateRequest } from './ops.ts'
export { NotifierSubscriptions } from './subscriptions.ts'
export type { BatchRequest, Insertion, TreeReadLock, TreeView } from './tree-lock.ts'
