/**
 * The shape of a node.
 *
 * The tree is a B+-tree in one ArrayBuffer, seen as doubles (`keys`) and as 32-bit integers (`refs`). A node is named by its offset
 * in doubles, `n`; leaf and inner nodes have the same 320 bytes, five cache lines:
 *
 *     keys[n + i]              last of entry i: in a leaf the interval's, in an inner node the greatest below child i
 *     keys[n + START + i]      start of entry i: in a leaf the interval's, in an inner node the separator of child i
 *     refs[2 * n + REF + i]    in a leaf the handle of entry i, in an inner node the offset of child i
 *     refs[2 * n + COUNT]      entries in use; -1 marks a node on the free list
 *     refs[2 * n + PARENT]     offset of the parent, -1 for the root; on the free list: the next free node, -1 at its end
 *     refs[2 * n + LEVEL]      0 for a leaf
 *
 * Invariants, for `validate()` to check:
 * - Entries are sorted by start, and equal starts are in the order of their insertion. Separator i is at most every start below
 *   child i, and at least every start below child i - 1.
 * - Separator 0 of an inner node repeats the node's own separator in its parent; the root's is -Infinity. So entries move between
 *   neighbours of any level by plain copying.
 * - The last of an inner entry is exact, not a bound: a node that holds a sufficient last always leads down to an entry that has it.
 * - Unused lasts are -Infinity and unused starts +Infinity: no comparison of a search can hold for them, so no search reads the count.
 * - All leaves are at level 0. Every node but the root holds MIN_ENTRIES to CAPACITY entries; an inner root holds at least 2.
 *
 * Every index is such an offset, so it is within the buffers: this package is compiled without `noUncheckedIndexedAccess`.
 */

/** Entries of a node: the lasts and the starts are 15 doubles each, and a set of entries is a bit mask in a small integer. */
export const CAPACITY = 15
/** A node with fewer entries takes some from a neighbour or merges with it. */
export const MIN_ENTRIES = 4
/** Two neighbours merge only when this many entries are left for both, so that the next insertion does not split them again. */
export const MERGE_ENTRIES = 11

/** Doubles per node. */
export const NODE = 40
/** 8 GiB of nodes: beyond, an index into `refs` leaves the int32 range. */
export const MAX_NODES: number = Math.floor(2 ** 30 / NODE)
export const START = 15
export const REF = 60
export const COUNT = 75
export const PARENT = 76
export const LEVEL = 77
