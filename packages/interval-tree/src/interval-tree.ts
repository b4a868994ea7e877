import { START } from './layout.ts'
import { indexOf } from './node.ts'
import { insert } from './insert.ts'
import { remove } from './remove.ts'
import { findFirst, findNext, overlaps } from './search.ts'
import { Store } from './store.ts'
import { validate } from './validate.ts'

/** A promise for more is refused, not the intervals themselves: 2 ** 27 take 5 GB. */
const MAX_CAPACITY = 2 ** 27

/**
 * A set of inclusive intervals `[start, last]`, found by overlap. The counterpart of Linux's `interval_tree` (`INTERVAL_TREE_DEFINE`),
 * but indexing handles instead of embedding nodes: keep your objects in an array by handle.
 *
 * Everything is in one order: by start, and equal starts by insertion. Bounds are safe integers from 0 to 2 ** 53 - 1.
 * Insertion, removal and search take O(log n); the same interval may be inserted any number of times.
 *
 * A B+-tree augmented with the greatest last of every subtree (Cormen et al., Introduction to Algorithms, "Interval trees").
 */
export class IntervalTree {
  readonly #store: Store

  /**
   * @param capacity expected number of intervals, to spare growing; the tree grows beyond it as needed. The default costs 400 bytes.
   * @throws RangeError when `capacity` is not an integer from 0 to 2 ** 27
   */
  constructor(capacity = 0) {
    if (!(Number.isSafeInteger(capacity) && capacity >= 0 && capacity <= MAX_CAPACITY)) {
      throw new RangeError(`capacity: expected an integer from 0 to ${MAX_CAPACITY}, got ${capacity}`)
    }
    this.#store = new Store(capacity)
  }

  /** Intervals in the tree. */
  get size(): number {
    return this.#store.size
  }

  /** Bytes of all buffers, used or not. They grow and never shrink. */
  get byteLength(): number {
    return this.#store.keys.byteLength + this.#store.leafOf.byteLength
  }

  /**
   * Inserts `[start, last]` behind the intervals with the same start. Linux: `interval_tree_insert`.
   *
   * @returns its handle: an integer from 0, below the greatest size that the tree ever had; stable until it is removed, reused afterwards
   * @throws RangeError when a bound is not a safe integer, negative, or `start > last`; when memory is exhausted: the tree is as before
   */
  insert(start: number, last: number): number {
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(last) && start >= 0 && start <= last)) throw badInterval(start, last)
    return insert(this.#store, start, last)
  }

  /**
   * Linux: `interval_tree_remove`.
   *
   * @throws RangeError when the handle is not in the tree
   */
  remove(handle: number): void {
    this.#leafOf(handle)
    remove(this.#store, handle)
  }

  has(handle: number): boolean {
    return this.#store.leafOf[handle] >= 0
  }

  /** @throws RangeError when the handle is not in the tree */
  startOf(handle: number): number {
    const leaf = this.#leafOf(handle)
    return this.#store.keys[leaf + START + indexOf(this.#store.refs, leaf, handle)]
  }

  /** @throws RangeError when the handle is not in the tree */
  lastOf(handle: number): number {
    const leaf = this.#leafOf(handle)
    return this.#store.keys[leaf + indexOf(this.#store.refs, leaf, handle)]
  }

  /**
   * The first interval that overlaps `[start, last]`, or -1. Linux: `interval_tree_iter_first`.
   *
   * @throws RangeError unless `start <= last`
   */
  findFirst(start: number, last: number): number {
    if (!(start <= last)) throw badQuery(start, last)
    return findFirst(this.#store, start, last)
  }

  /**
   * The first interval behind `handle` that overlaps `[start, last]`, or -1; `handle` itself need not. Linux: `interval_tree_iter_next`.
   * The tree may change between the calls as long as `handle` stays in it.
   *
   * @throws RangeError when the handle is not in the tree, and unless `start <= last`
   */
  findNext(handle: number, start: number, last: number): number {
    if (!(start <= last)) throw badQuery(start, last)
    this.#leafOf(handle)
    return findNext(this.#store, handle, start, last)
  }

  /**
   * Writes the handles of the intervals that overlap `[start, last]` into `out`, as many as fit, in order.
   *
   * @returns how many it wrote; when that is `out.length` there may be more: go on with `findNext` from the last one
   * @throws RangeError unless `start <= last`
   */
  overlaps(start: number, last: number, out: Int32Array): number {
    if (!(start <= last)) throw badQuery(start, last)
    return overlaps(this.#store, start, last, out)
  }

  /** All handles in order. The handle given out must stay in the tree until the next one is asked for; other changes are allowed. */
  *handles(): IterableIterator<number> {
    for (let handle = this.findFirst(0, Infinity); handle !== -1; handle = this.findNext(handle, 0, Infinity)) yield handle
  }

  /** Removes everything and keeps the buffers. */
  clear(): void {
    this.#store.reset()
  }

  /**
   * Checks every structural invariant in O(n); for tests and checkers. (The order of equal starts is no property of the structure.)
   *
   * @throws Error naming the node and the invariant
   */
  validate(): void {
    validate(this.#store)
  }

  #leafOf(handle: number): number {
    const leaf = this.#store.leafOf[handle]
    // Not `leaf < 0`: beyond the array it is undefined.
    if (!(leaf >= 0)) throw new RangeError(`handle ${handle} is not in the tree`)
    return leaf
  }
}

function badInterval(start: number, last: number): RangeError {
  return new RangeError(`interval [${start}, ${last}]: expected integers with 0 <= start <= last <= 2 ** 53 - 1`)
}

function badQuery(start: number, last: number): RangeError {
  return new RangeError(`query [${start}, ${last}]: expected start <= last`)
}
