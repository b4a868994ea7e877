import type { Interval } from './interval.ts'

/** Where an interval is in its life. Callbacks may come in `live` and `dying`; find returns `pending` and `live`. */
export type Phase =
  | 'new' // not handed to the protocol yet
  | 'pending' // insert deferred; not in the tree
  | 'live' // in the tree
  | 'dying' // removal deferred; in the tree, unless it was pending before
  | 'dead' // not in the tree; released when the last reference goes, or the caller's of remove()
  | 'released' // ops.release was or is about to be called

/** Which call removes it: `deferred` gives the owner's reference back when it is applied, `put` had none left, `sync` hands it to the caller. */
export type Removal = 'deferred' | 'put' | 'sync'

/** A word that tasks share. */
export interface Word<T> {
  value: T
}

/** The notifier is being removed: readers always have to retry. Odd, as every sequence number of a notifier. */
export const DYING = -1
/** It was released, and `release` has returned. */
export const GONE = -3

/** What the protocol keeps of a notifier; it changes in sections only (but for `seq`, which callbacks set under the user lock). */
export interface Entry {
  /** Order of registration. */
  readonly id: number
  readonly ops: unknown
  /** Always odd: what {@link Entry.phase} allows a reader to go on with, or {@link DYING}, or {@link GONE}. */
  readonly seq: Word<number>
  /** Where it lies. */
  readonly place: Word<Interval>
  /** Where a deferred update will put it: a word of its own, since callbacks read the other one meanwhile. The mail's `updated_start` and `updated_end`, with no value that means "none". */
  readonly updated: Word<Interval | undefined>
  references: number
  phase: Phase
  removal: Removal | undefined
  /** `find` has returned it while it was pending: who locks the tree may still look at it. */
  seen: boolean
  /** In the tree; negative outside of it. */
  handle: number
  /** Throws UAF for an entry whose memory was given back. */
  assertAlive(by: string): void
}

export interface Batch<E extends Entry> {
  readonly remove?: readonly E[]
  readonly update?: readonly { readonly entry: E; readonly interval: Interval }[]
  readonly insert?: readonly E[]
}

/** What the end of a frozen period has done. */
export interface Applied<E extends Entry> {
  /** The deferred list, in the order in which it was queued. */
  readonly applied: readonly E[]
  readonly released: readonly E[]
}

/** Where the entry will lie when everything that was asked for is applied. */
export function planned({ place, updated }: Entry): Interval {
  return updated.value ?? place.value
}
