import { COUNT, PARENT, REF, START } from './layout.ts'
import { indexOf, lastMask, lowest } from './node.ts'
import type { Store } from './store.ts'

/*
 * In the tree's order the first overlap of [start, last] is the first entry whose last is at least `start`, provided that it begins at
 * or before `last`: the entries between would have to end before `start`, and those behind it begin no earlier. So the way down
 * follows the lowest set bit and looks at no separator. Lasts of inner nodes are exact, so below the root the mask is never 0.
 *
 * Each function calls `lastMask` in one place: V8 inlines it once within its budget, and a call costs a third of the search.
 */

export function findFirst(store: Store, start: number, last: number): number {
  return firstBelow(store, store.root, store.height, start, last)
}

function firstBelow({ keys, refs }: Store, from: number, height: number, start: number, last: number): number {
  let n = from
  for (let level = height; ; level--) {
    const mask = lastMask(keys, n, start)
    if (mask === 0) return -1
    const i = lowest(mask)
    if (level === 0) return keys[n + START + i] <= last ? refs[2 * n + REF + i] : -1
    n = refs[2 * n + REF + i]
  }
}

/** `handle` must be in the tree. The next one is mostly next door: a plain scan, that goes up only at the end of a node. */
export function findNext(store: Store, handle: number, start: number, last: number): number {
  const { keys, refs, root } = store
  let n = store.leafOf[handle]
  let ref = handle
  for (let level = 0; ; level++) {
    const count = refs[2 * n + COUNT]
    for (let i = indexOf(refs, n, ref) + 1; i < count; i++) {
      if (keys[n + START + i] > last) return -1
      if (keys[n + i] < start) continue
      const found = refs[2 * n + REF + i]
      return level === 0 ? found : firstBelow(store, found, level - 1, start, last)
    }
    if (n === root) return -1
    ref = n
    n = refs[2 * n + PARENT]
  }
}

/** Nodes and masks of the path, by level. Calls neither nest nor interleave: one for all trees. 4 ** 15 exceeds any tree. */
const path = new Int32Array(16)
const pending = new Int32Array(16)

export function overlaps({ keys, refs, root, height }: Store, start: number, last: number, out: Int32Array): number {
  const room = out.length
  let found = 0
  let n = root
  for (let level = height; ; level--) {
    let mask = lastMask(keys, n, start)
    if (level === 0) {
      for (; mask !== 0; mask &= mask - 1) {
        const i = lowest(mask)
        // Entries behind this one begin no earlier, here and in all nodes still pending.
        if (keys[n + START + i] > last || found === room) return found
        out[found++] = refs[2 * n + REF + i]
      }
    }
    while (mask === 0) {
      if (level === height) return found
      level++
      n = path[level]
      mask = pending[level]
    }
    const i = lowest(mask)
    if (keys[n + START + i] > last) return found
    path[level] = n
    pending[level] = mask & (mask - 1)
    n = refs[2 * n + REF + i]
  }
}
