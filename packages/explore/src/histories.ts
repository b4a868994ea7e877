/**
 * Happens-before: that of `Trace`, kept for tasks in place of events. An event is a task, its count and a row: `row[u]` is how many events of task u happened before it, for
 * every other task u. Whoever has seen the event's count has seen all that came before it, so nothing has to be joined then (as in FastTrack, by Flanagan and Freund,
 * PLDI 2009), and a task gets a new row only with something new in it.
 */
export class Histories {
  /** Tasks that there is room for. */
  width = 4
  /** Rows never change when the operation that they were made for is over; the first one is all zeros. */
  #rows = new Int32Array(64 * 4)
  #rowCount = 1
  /** By task: how many events it has performed, and its row. */
  #counts = new Int32Array(4)
  #rowOf = new Int32Array(4)
  /** Whose operation is being performed, and whether its task has got a row for it. */
  #task = 0
  #learned = false

  /** A new execution begins. */
  reset(): void {
    this.#rowCount = 1
    this.#counts.fill(0)
    this.#rowOf.fill(0)
  }

  /** How many events `task` has performed. */
  count(task: number): number {
    return this.#counts[task] as number
  }

  row(task: number): number {
    return this.#rowOf[task] as number
  }

  /** How many events of `other` happened before what `task` does now. */
  seen(task: number, other: number): number {
    return this.#rows[(this.#rowOf[task] as number) * this.width + other] as number
  }

  /** Task `id` is made, by `maker`. */
  spawned(id: number, maker: number): void {
    const count = this.passes(maker)
    const row = this.#copy(this.#rowOf[maker] as number)
    this.#rows[row * this.width + maker] = count
    this.#rowOf[id] = row
  }

  /** `task` has performed an event; or what it has done so far happens before what comes of this moment, as if it had. @returns its count */
  passes(task: number): number {
    const count = (this.#counts[task] as number) + 1
    this.#counts[task] = count
    return count
  }

  /** Task `id` begins an operation. */
  begin(id: number): void {
    this.#task = id
    this.#learned = false
  }

  /** The task whose operation is being performed comes after an event of `other`. */
  learn(other: number, count: number, row: number): void {
    const task = this.#task
    if (other === task || this.seen(task, other) >= count) return
    const { width } = this
    if (!this.#learned) {
      this.#learned = true
      this.#rowOf[task] = this.#copy(this.#rowOf[task] as number)
    }
    const rows = this.#rows
    const to = (this.#rowOf[task] as number) * width
    const from = row * width
    for (let i = 0; i < width; i++) {
      const known = rows[from + i] as number
      if (known > (rows[to + i] as number)) rows[to + i] = known
    }
    rows[to + other] = count
  }

  widen(width: number): void {
    this.#rows = spread(this.#rows, this.width, width, this.#rows.length / this.width)
    this.#counts = spread(this.#counts, this.width, width, 1)
    this.#rowOf = spread(this.#rowOf, this.width, width, 1)
    this.width = width
  }

  /** A new row, like `row`. */
  #copy(row: number): number {
    const { width } = this
    const made = this.#rowCount++
    if (this.#rowCount * width > this.#rows.length) this.#rows = spread(this.#rows, width, width, 2 * this.#rowCount)
    const rows = this.#rows
    for (let i = 0; i < width; i++) rows[made * width + i] = rows[row * width + i] as number
    return made
  }
}

/** Rows of `width` as so many rows of `wider`. */
export function spread(from: Int32Array, width: number, wider: number, rows: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(rows * wider)
  for (let row = 0; row * width < from.length; row++) to.set(from.subarray(row * width, (row + 1) * width), row * wider)
  return to
}
