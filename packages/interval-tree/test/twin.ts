import { expect } from 'vitest'
import { IntervalTree } from '../src/index.ts'

export interface Entry {
  readonly handle: number
  readonly start: number
  readonly last: number
}

/** A tree beside a plain array in the tree's order: every operation is done on both, every answer compared. */
export class Twin {
  readonly tree: IntervalTree
  readonly entries: Entry[] = []
  readonly #live = new Set<number>()
  readonly #few = new Int32Array(3)

  constructor(capacity?: number) {
    this.tree = new IntervalTree(capacity)
  }

  insert(start: number, last: number): void {
    const handle = this.tree.insert(start, last)
    expect(this.#live.has(handle)).toBe(false)
    this.#live.add(handle)
    const behind = this.entries.findIndex((entry) => entry.start > start)
    this.entries.splice(behind < 0 ? this.entries.length : behind, 0, { handle, start, last })
  }

  /** Removes the interval that is `index` in order, modulo the size. */
  remove(index: number): void {
    const [entry] = this.entries.splice(index % this.entries.length, 1)
    if (!entry) return
    this.tree.remove(entry.handle)
    this.#live.delete(entry.handle)
    expect(this.tree.has(entry.handle)).toBe(false)
  }

  /** Asks in every way for the overlaps of [start, last]. */
  query(start: number, last: number): void {
    const { tree } = this
    const want = this.entries.filter((entry) => entry.start <= last && entry.last >= start).map(({ handle }) => handle)
    const query = `overlaps of [${start}, ${last}]`

    const walk: number[] = []
    for (let handle = tree.findFirst(start, last); handle !== -1; handle = tree.findNext(handle, start, last)) walk.push(handle)
    same(walk, want, query)

    const all = new Int32Array(this.entries.length + 1)
    same(all.subarray(0, tree.overlaps(start, last, all)), want, query)
    same(this.#few.subarray(0, tree.overlaps(start, last, this.#few)), want.slice(0, this.#few.length), query)
  }

  /** From one interval, which need not overlap, to the next that does. */
  queryBehind(index: number, start: number, last: number): void {
    const at = index % this.entries.length
    const entry = this.entries[at]
    if (!entry) return
    const want = this.entries.slice(at + 1).find((next) => next.start <= last && next.last >= start)?.handle ?? -1
    expect(this.tree.findNext(entry.handle, start, last), `behind ${at}: [${start}, ${last}]`).toBe(want)
  }

  check(): void {
    const { tree, entries } = this
    tree.validate()
    expect(tree.size).toBe(entries.length)
    const found = [...tree.handles()].map((handle) => ({ handle, start: tree.startOf(handle), last: tree.lastOf(handle) }))
    expect(found).toEqual(entries)
  }
}

/** `toEqual` only shows the difference: it takes a hundred times longer to see none. */
function same(got: ArrayLike<number>, want: number[], query: string): void {
  if (got.length !== want.length || want.some((handle, i) => handle !== got[i])) expect(Array.from(got), query).toEqual(want)
}

/** Integers below `n`, the same for the same seed (xorshift32). */
export function random(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return Math.floor(((state >>> 0) / 2 ** 32) * n)
  }
}
