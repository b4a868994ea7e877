import { COUNT, MERGE_ENTRIES, MIN_ENTRIES, PARENT, REF, START } from './layout.ts'
import { indexOf, lastMask, maxLast, moveEntries, removeEntries } from './node.ts'
import type { Store } from './store.ts'

/** Removes `handle`, which must be in the tree. */
export function remove(store: Store, handle: number): void {
  const { keys, refs, leafOf } = store
  const leaf = leafOf[handle]
  const at = indexOf(refs, leaf, handle)
  const last = keys[leaf + at]
  removeEntries(store, leaf, at, 1)
  store.releaseHandle(handle)
  store.size--
  if (lastMask(keys, leaf, last) === 0) lowerLasts(store, leaf)
  if (refs[2 * leaf + COUNT] < MIN_ENTRIES) refill(store, leaf)
}

/** Makes the lasts above `leaf` exact again, after it lost its greatest. */
function lowerLasts({ keys, refs, root }: Store, leaf: number): void {
  for (let n = leaf; n !== root; ) {
    const last = maxLast(keys, n)
    const parent = refs[2 * n + PARENT]
    const at = parent + indexOf(refs, parent, n)
    if (keys[at] === last) return
    keys[at] = last
    n = parent
  }
}

/** Brings `n`, which has too few entries, back to MIN_ENTRIES: with a neighbour it shares the entries, or merges when they are few. */
function refill(store: Store, n: number): void {
  const { keys, refs } = store
  if (n === store.root) return
  const parent = refs[2 * n + PARENT]
  const i = Math.max(indexOf(refs, parent, n) - 1, 0)
  const left = refs[2 * parent + REF + i]
  const right = refs[2 * parent + REF + i + 1]
  const leftCount = refs[2 * left + COUNT]
  const rightCount = refs[2 * right + COUNT]
  const total = leftCount + rightCount

  if (total <= MERGE_ENTRIES) {
    moveEntries(store, right, 0, rightCount, left, leftCount)
    keys[parent + i] = Math.max(keys[parent + i], keys[parent + i + 1])
    removeEntries(store, parent, i + 1, 1)
    store.releaseNode(right)
    if (parent === store.root && refs[2 * parent + COUNT] === 1) dropRoot(store, left)
    else if (refs[2 * parent + COUNT] < MIN_ENTRIES) refill(store, parent)
    return
  }
  const half = total >> 1
  if (leftCount < half) moveEntries(store, right, 0, half - leftCount, left, leftCount)
  else moveEntries(store, left, half, leftCount - half, right, 0)
  keys[parent + i] = maxLast(keys, left)
  keys[parent + i + 1] = maxLast(keys, right)
  keys[parent + START + i + 1] = keys[right + START]
}

/** The root's only child takes its place. */
function dropRoot(store: Store, child: number): void {
  store.releaseNode(store.root)
  store.refs[2 * child + PARENT] = -1
  store.root = child
  store.height--
}
