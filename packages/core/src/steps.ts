/** The steps of the protocol, each of which can be overridden: for those who check what goes wrong without it. No stable API. */
export { ClassicNotifiers } from './classic.ts'
export { DYING, GONE, planned, type Applied, type Batch, type Entry, type Phase, type Removal, type Word } from './entry.ts'
export { Notifier } from './notifier.ts'
export { Operations } from './operations.ts'
export { Protocol } from './protocol.ts'
export { Range } from './range.ts'
export { Tree } from './tree-lock.ts'
