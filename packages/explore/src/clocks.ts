
/**
 * Vector clocks, one row for each event, in one flat array. `row[t]` is how many events of task t happened before the event or are the
 * event, so the k-th event of t (from 0) happened before it exactly if `row[t] > k`.
 */
export class Clocks {
  #width: number
  #rows = new Int32Array(1024)

  /** @param tasks how many tasks to expect; more are made room for */
  constructor(tasks: number) {
    this.#width = tasks
  }

  get(event: number, task: number): number {
    return task < this.#width ? (this.#rows[event * this.#width + task] as number) : 0
  }

  set(event: number, task: number, count: number): void {
    this.#rows[event * this.#width + task] = count
  }

  /** Makes the row of `event` that of `from`, or zero for a negative `from`. */
  copy(event: number, from: number): void {
    const width = this.#width
    const end = (event + 1) * width
    if (end > this.#rows.length) {
      const rows = new Int32Array(2 * end)
      rows.set(this.#rows)
      this.#rows = rows
    }
    if (from < 0) this.#rows.fill(0, end - width, end)
    else this.#rows.copyWithin(end - width, from * width, (from + 1) * width)
  }

  /** The row of `event` sees whatever that of `from` sees. */
  join(event: number, from: number): void {
    const rows = this.#rows
    const width = this.#width
    let to = event * width
    for (let at = from * width; at < (from + 1) * width; at++, to++) {
      const count = rows[at] as number
      if (count > (rows[to] as number)) rows[to] = count
    }
  }

  /** Makes room for `tasks` tasks in the rows of the first `events` events. */
  widen(tasks: number, events: number): void {
    if (tasks <= this.#width) return
    const rows = new Int32Array(Math.max(1024, 2 * (events + 1) * tasks))
    for (let event = 0; event < events; event++) {
      rows.set(this.#rows.subarray(event * this.#width, (event + 1) * this.#width), event * tasks)
    }
    this.#rows = rows
    this.#width = tasks
  }

  /** The counts of `event`, by task. */
  row(event: number): Int32Array {
    return this.#rows.subarray(event * this.#width, (event + 1) * this.#width)
  }
}
