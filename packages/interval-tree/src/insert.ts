import { CAPACITY, COUNT, LEVEL, MIN_ENTRIES, PARENT, REF, START } from './layout.ts'
import { indexOf, insertEntry, maxLast, moveEntries, rank } from './node.ts'
import type { Store } from './store.ts'

/** Inserts [start, last] behind the intervals with the same start, and returns its handle. */
export function insert(store: Store, start: number, last: number): number {
  store.reserve()
  const { keys, refs } = store
  let n = store.root
  for (let level = store.height; ; level--) {
    const at = rank(keys, n, start)
    if (level === 0) return insertIntoLeaf(store, n, at, start, last)
    const i = at - 1
    if (keys[n + i] < last) keys[n + i] = last
    n = refs[2 * n + REF + i]
  }
}

/** The lasts above `leaf` are raised already. */
function insertIntoLeaf(store: Store, leaf: number, index: number, start: number, last: number): number {
  const { keys, refs } = store
  let n = leaf
  let at = index
  if (refs[2 * n + COUNT] === CAPACITY) {
    const right = split(store, n, at === 0, at === CAPACITY)
    const kept = refs[2 * n + COUNT]
    if (at > kept) {
      n = right
      at -= kept
    }
    // The split made the lasts of both halves exact again.
    const parent = refs[2 * n + PARENT]
    const i = indexOf(refs, parent, n)
    if (keys[parent + i] < last) keys[parent + i] = last
  }
  const handle = store.allocHandle()
  store.leafOf[handle] = n
  insertEntry(store, n, at, last, start, handle)
  store.size++
  return handle
}

/**
 * Moves the upper entries of the full node `n` into a new neighbour on its right, which is returned; full ancestors split first.
 * It moves half. But when the next entry goes to the end or to the front, as in a run of ascending or descending ones, only it and
 * as many as make it MIN_ENTRIES are parted from the others: such runs leave nodes four fifths full.
 */
function split(store: Store, n: number, atFront: boolean, atEnd: boolean): number {
  const { keys, refs } = store
  const parent = parentWithRoom(store, n)
  const right = store.allocNode(refs[2 * n + LEVEL])
  const kept = atEnd ? CAPACITY + 1 - MIN_ENTRIES : atFront ? MIN_ENTRIES - 1 : (CAPACITY + 1) / 2
  moveEntries(store, n, kept, CAPACITY - kept, right, 0)
  const i = indexOf(refs, parent, n)
  keys[parent + i] = maxLast(keys, n)
  insertEntry(store, parent, i + 1, maxLast(keys, right), keys[right + START], right)
  refs[2 * right + PARENT] = parent
  return right
}

/** The parent of `n`, with room for one more child; `n` may get another parent on the way. */
function parentWithRoom(store: Store, n: number): number {
  const { keys, refs } = store
  if (n === store.root) {
    const root = store.allocNode(++store.height)
    insertEntry(store, root, 0, maxLast(keys, n), -Infinity, n)
    refs[2 * n + PARENT] = root
    store.root = root
    return root
  }
  const parent = refs[2 * n + PARENT]
  if (refs[2 * parent + COUNT] < CAPACITY) return parent
  split(store, parent, refs[2 * parent + REF] === n, refs[2 * parent + REF + CAPACITY - 1] === n)
  return refs[2 * n + PARENT]
}
