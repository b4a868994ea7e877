/**
 * What an index is asked to do, prepared before the clock starts, so that all contestants do exactly the same.
 *
 * @typedef {object} Index
 * @property {(start: number, last: number, id: number) => void} insert
 * @property {(start: number, last: number, id: number) => void} remove
 * @property {(start: number, last: number) => number} first  id of the first overlap, or -1
 * @property {(start: number, last: number) => number} overlaps  sum of the ids of all overlaps
 */

const FIRST = 0
const OVERLAPS = 1
const INSERT = 2
const REMOVE = 3

/** A list of operations in columns. */
export class Trace {
  #length = 0
  #ops = new Uint8Array(1024)
  #ids = new Int32Array(1024)
  #starts = new Float64Array(1024)
  #lasts = new Float64Array(1024)

  get length() {
    return this.#length
  }

  /** @param {number} start @param {number} last */
  first(start, last) {
    this.#add(FIRST, start, last, 0)
  }

  /** @param {number} start @param {number} last */
  overlaps(start, last) {
    this.#add(OVERLAPS, start, last, 0)
  }

  /** @param {number} start @param {number} last @param {number} id */
  insert(start, last, id) {
    this.#add(INSERT, start, last, id)
  }

  /** @param {number} start @param {number} last @param {number} id */
  remove(start, last, id) {
    this.#add(REMOVE, start, last, id)
  }

  /** @param {number} op @param {number} start @param {number} last @param {number} id */
  #add(op, start, last, id) {
    const at = this.#length++
    if (at === this.#ops.length) this.#grow()
    this.#ops[at] = op
    this.#ids[at] = id
    this.#starts[at] = start
    this.#lasts[at] = last
  }

  #grow() {
    /** @template {Uint8Array | Int32Array | Float64Array} T @param {T} from @param {T} to @returns {T} */
    const copy = (from, to) => (to.set(from), to)
    const room = 2 * this.#length
    this.#ops = copy(this.#ops, new Uint8Array(room))
    this.#ids = copy(this.#ids, new Int32Array(room))
    this.#starts = copy(this.#starts, new Float64Array(room))
    this.#lasts = copy(this.#lasts, new Float64Array(room))
  }

  columns() {
    return { length: this.#length, ops: this.#ops, ids: this.#ids, starts: this.#starts, lasts: this.#lasts }
  }
}

/**
 * Runs a trace. Import this module once per contestant (with a query), so that each has its own type feedback.
 *
 * @param {Index} index
 * @param {Trace} trace
 * @returns {number} a checksum over all answers that do not depend on the order of equal starts
 */
export function run(index, trace) {
  const { length, ops, ids, starts, lasts } = trace.columns()
  let sum = 0
  for (let at = 0; at < length; at++) {
    const start = starts[at]
    const last = lasts[at]
    switch (ops[at]) {
      case FIRST:
        if (index.first(start, last) >= 0) sum++
        break
      case OVERLAPS:
        sum += index.overlaps(start, last)
        break
      case INSERT:
        index.insert(start, last, ids[at])
        break
      case REMOVE:
        index.remove(start, last, ids[at])
        break
    }
  }
  return sum
}
