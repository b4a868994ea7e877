/**
 * The graph of lock *classes*. An edge A -> B says that some task once took B while it held A. It only grows; kernels may share one, so that an order
 * seen in one run is held against another run.
 */
export class LockOrder {
  /** after[A][B] is the name of the task that first took B under A. */
  readonly #after = new Map<string, Map<string, string>>()
  #size = 0

  /** The number of edges. */
  get size(): number {
    return this.#size
  }

  /**
   * Records that `task` takes `then` while it holds `first`.
   * @returns undefined, or the edges that lead from `then` to `first` already: then nothing is recorded
   */
  add(first: string, then: string, task: string): string[] | undefined {
    let after = this.#after.get(first)
    if (!after) this.#after.set(first, (after = new Map<string, string>()))
    if (after.has(then)) return undefined
    const back = this.#path(then, first)
    if (back) return back
    after.set(then, task)
    this.#size++
    return undefined
  }

  /** The edges from `from` to `to`, as lines of a report. */
  #path(from: string, to: string, seen = new Set<string>()): string[] | undefined {
    if (from === to) return []
    seen.add(from)
    for (const [next, task] of this.#after.get(from) ?? []) {
      if (seen.has(next)) continue
      const rest = this.#path(next, to, seen)
      if (rest) return [`${from} -> ${next} (first by ${task})`, ...rest]
    }
    return undefined
  }
}
