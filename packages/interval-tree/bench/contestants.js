import FlattenTree from '@flatten-js/interval-tree'
import BTreeModule from 'sorted-btree'
import { IntervalTree } from '@mmu-notifier/interval-tree'

// CommonJS with an ES module marker: Node hands out the exports object.
const BTree = /** @type {typeof import('sorted-btree').default} */ (BTreeModule.default ?? BTreeModule)

/** @typedef {import('./trace.js').Index} Index */

/** @implements {Index} */
export class Ours {
  #tree = new IntervalTree()
  #found = new Int32Array(1024)
  #idOf
  #handleOf

  /** @param {number} ids */
  constructor(ids) {
    this.#idOf = new Int32Array(ids)
    this.#handleOf = new Int32Array(ids)
  }

  get bytesPerInterval() {
    return this.#tree.byteLength / this.#tree.size
  }

  /** @param {number} start @param {number} last @param {number} id */
  insert(start, last, id) {
    const handle = this.#tree.insert(start, last)
    this.#handleOf[id] = handle
    this.#idOf[handle] = id
  }

  /** @param {number} _start @param {number} _last @param {number} id */
  remove(_start, _last, id) {
    this.#tree.remove(this.#handleOf[id])
  }

  /** @param {number} start @param {number} last */
  first(start, last) {
    const handle = this.#tree.findFirst(start, last)
    return handle < 0 ? -1 : this.#idOf[handle]
  }

  /** @param {number} start @param {number} last */
  overlaps(start, last) {
    const count = this.#tree.overlaps(start, last, this.#found)
    if (count === this.#found.length) throw new Error('more overlaps than any workload has')
    let sum = 0
    for (let i = 0; i < count; i++) sum += this.#idOf[this.#found[i]]
    return sum
  }
}

/** An augmented red-black tree of objects. It has no find-first and no removal by handle. @implements {Index} */
export class Flatten {
  #tree = new FlattenTree()

  /** @param {number} start @param {number} last @param {number} id */
  insert(start, last, id) {
    this.#tree.insert([start, last], id)
  }

  /** @param {number} start @param {number} last @param {number} id */
  remove(start, last, id) {
    this.#tree.remove([start, last], id)
  }

  /** @param {number} start @param {number} last */
  first(start, last) {
    return this.#tree.search([start, last])[0] ?? -1
  }

  /** @param {number} start @param {number} last */
  overlaps(start, last) {
    let sum = 0
    for (const id of this.#tree.search([start, last])) sum += id
    return sum
  }
}

/** A B+-tree from key to value, for disjoint intervals only: by start. @implements {Index} */
export class SortedBTree {
  #tree = new BTree(undefined, (/** @type {number} */ a, /** @type {number} */ b) => a - b)
  #lasts
  /** @type {[number, number]} */
  #pair = [0, 0]

  /** @param {number} ids */
  constructor(ids) {
    this.#lasts = new Float64Array(ids)
  }

  /** @param {number} start @param {number} last @param {number} id */
  insert(start, last, id) {
    this.#lasts[id] = last
    this.#tree.set(start, id)
  }

  /** @param {number} start */
  remove(start) {
    this.#tree.delete(start)
  }

  /** @param {number} start @param {number} last */
  first(start, last) {
    const before = this.#tree.getPairOrNextLower(start, this.#pair)
    if (before && this.#lasts[before[1]] >= start) return before[1]
    const behind = this.#tree.nextHigherPair(start, this.#pair)
    return behind && behind[0] <= last ? behind[1] : -1
  }

  /** @param {number} start @param {number} last */
  overlaps(start, last) {
    let sum = 0
    const before = this.#tree.nextLowerPair(start, this.#pair)
    if (before && this.#lasts[before[1]] >= start) sum = before[1]
    this.#tree.forRange(start, last, true, (_, id) => {
      sum += id
    })
    return sum
  }
}
