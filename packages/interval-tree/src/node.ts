import { COUNT, PARENT, REF, LEVEL, START } from './layout.ts'
import type { Store } from './store.ts'

/*
 * What one node can do. The three searches have no branch and no loop: a comparison becomes a bit (`+(x < y)` is one flag-setting
 * instruction in optimised code), so that there is nothing to mispredict. `| 0` on an index spares the check for an overflow.
 */

/** The entries of `n` whose last is at least `floor`, as a bit mask. */
export function lastMask(keys: Float64Array, n: number, floor: number): number {
  return (
    +(keys[n] >= floor) |
    (+(keys[(n + 1) | 0] >= floor) << 1) |
    (+(keys[(n + 2) | 0] >= floor) << 2) |
    (+(keys[(n + 3) | 0] >= floor) << 3) |
    (+(keys[(n + 4) | 0] >= floor) << 4) |
    (+(keys[(n + 5) | 0] >= floor) << 5) |
    (+(keys[(n + 6) | 0] >= floor) << 6) |
    (+(keys[(n + 7) | 0] >= floor) << 7) |
    (+(keys[(n + 8) | 0] >= floor) << 8) |
    (+(keys[(n + 9) | 0] >= floor) << 9) |
    (+(keys[(n + 10) | 0] >= floor) << 10) |
    (+(keys[(n + 11) | 0] >= floor) << 11) |
    (+(keys[(n + 12) | 0] >= floor) << 12) |
    (+(keys[(n + 13) | 0] >= floor) << 13) |
    (+(keys[(n + 14) | 0] >= floor) << 14)
  )
}

/** How many entries of `n` have a start of at most `start`: where one with that start goes, behind its equals. */
export function rank(keys: Float64Array, n: number, start: number): number {
  return (
    +(keys[(n + 15) | 0] <= start) +
    +(keys[(n + 16) | 0] <= start) +
    +(keys[(n + 17) | 0] <= start) +
    +(keys[(n + 18) | 0] <= start) +
    +(keys[(n + 19) | 0] <= start) +
    +(keys[(n + 20) | 0] <= start) +
    +(keys[(n + 21) | 0] <= start) +
    +(keys[(n + 22) | 0] <= start) +
    +(keys[(n + 23) | 0] <= start) +
    +(keys[(n + 24) | 0] <= start) +
    +(keys[(n + 25) | 0] <= start) +
    +(keys[(n + 26) | 0] <= start) +
    +(keys[(n + 27) | 0] <= start) +
    +(keys[(n + 28) | 0] <= start) +
    +(keys[(n + 29) | 0] <= start)
  )
}

/** Index of the lowest set bit of a mask that is not 0. */
export function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask)
}

/** Which entry of `n` refers to `ref`, a handle or a child; it must be there. */
export function indexOf(refs: Int32Array, n: number, ref: number): number {
  let at = 2 * n + REF
  while (refs[at] !== ref) at++
  return at - 2 * n - REF
}

/** The greatest last of `n`; -Infinity when it is empty. */
export function maxLast(keys: Float64Array, n: number): number {
  let max = keys[n]
  for (let i = n + 1; i < n + START; i++) if (keys[i] > max) max = keys[i]
  return max
}

/** Opens entry `at` of `n`, which must have room, and writes it. */
export function insertEntry({ keys, refs }: Store, n: number, at: number, last: number, start: number, ref: number): void {
  const base = 2 * n + REF
  for (let i = refs[2 * n + COUNT]++; i > at; i--) {
    keys[n + i] = keys[n + i - 1]
    keys[n + START + i] = keys[n + START + i - 1]
    refs[base + i] = refs[base + i - 1]
  }
  keys[n + at] = last
  keys[n + START + at] = start
  refs[base + at] = ref
}

/** Closes `count` entries of `n` from `at` on. */
export function removeEntries({ keys, refs }: Store, n: number, at: number, count: number): void {
  const base = 2 * n + REF
  const left = (refs[2 * n + COUNT] -= count)
  for (let i = at; i < left; i++) {
    keys[n + i] = keys[n + i + count]
    keys[n + START + i] = keys[n + START + i + count]
    refs[base + i] = refs[base + i + count]
  }
  for (let i = left; i < left + count; i++) {
    keys[n + i] = -Infinity
    keys[n + START + i] = Infinity
  }
}

/** Moves `count` entries of `from`, from `at` on, into `to` at `toAt`, where there must be room. */
export function moveEntries(store: Store, from: number, at: number, count: number, to: number, toAt: number): void {
  const { keys, refs, leafOf } = store
  const leaf = refs[2 * to + LEVEL] === 0
  for (let i = 0; i < count; i++) {
    const ref = refs[2 * from + REF + at + i]
    insertEntry(store, to, toAt + i, keys[from + at + i], keys[from + START + at + i], ref)
    if (leaf) leafOf[ref] = to
    else refs[2 * ref + PARENT] = to
  }
  removeEntries(store, from, at, count)
}
