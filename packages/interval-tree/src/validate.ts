import { CAPACITY, COUNT, LEVEL, MIN_ENTRIES, NODE, PARENT, REF, START } from './layout.ts'
import { maxLast } from './node.ts'
import type { Store } from './store.ts'

/** Throws an Error that names the node and the invariant of layout.ts that does not hold. */
export function validate(store: Store): void {
  const { refs, root, height } = store
  if (refs[2 * root + PARENT] !== -1) broken(root, 'the root has no parent')
  if (refs[2 * root + LEVEL] !== height) broken(root, `the root is at level ${height}`)
  const seen = { nodes: 0, intervals: 0 }
  validateNode(store, root, -Infinity, Infinity, seen)
  if (seen.intervals !== store.size) broken(root, `the tree holds ${store.size} intervals, found ${seen.intervals}`)
  if (seen.nodes !== store.nodes) broken(root, `the tree has ${store.nodes} nodes, found ${seen.nodes}`)
  validateFreeLists(store)
}

interface Seen {
  nodes: number
  intervals: number
}

/** Checks the subtree at `n`, whose starts must lie in [low, high]. */
function validateNode(store: Store, n: number, low: number, high: number, seen: Seen): void {
  const { keys, refs } = store
  const count = refs[2 * n + COUNT]
  const level = refs[2 * n + LEVEL]
  const least = n !== store.root ? MIN_ENTRIES : level > 0 ? 2 : 0
  if (++seen.nodes > store.nodes) broken(n, `the tree has ${store.nodes} nodes, found more`)
  if (!(count >= least && count <= CAPACITY)) broken(n, `a node has ${least} to ${CAPACITY} entries, found ${count}`)
  if (level > 0 && keys[n + START] !== low) broken(n, `separator 0 repeats the parent's ${low}, found ${keys[n + START]}`)
  if (level === 0) seen.intervals += count

  for (let i = 0; i < count; i++) {
    const start = keys[n + START + i]
    const next = i + 1 < count ? keys[n + START + i + 1] : high
    if (!(start >= low && start <= next)) broken(n, `starts are in order, found ${low}, ${start}, ${next} at entry ${i}`)
    if (level === 0) validateInterval(store, n, i)
    else validateChild(store, n, i, start, next, seen)
  }
  for (let i = count; i < CAPACITY; i++) {
    if (keys[n + i] !== -Infinity || keys[n + START + i] !== Infinity) broken(n, `unused entry ${i} matches nothing`)
  }
}

function validateInterval({ keys, refs, leafOf }: Store, n: number, i: number): void {
  const start = keys[n + START + i]
  const last = keys[n + i]
  const handle = refs[2 * n + REF + i]
  if (start > last) broken(n, `start <= last, found ${start} > ${last} at entry ${i}`)
  if (leafOf[handle] !== n) broken(n, `handle ${handle} of entry ${i} refers back to its leaf`)
}

function validateChild(store: Store, n: number, i: number, low: number, high: number, seen: Seen): void {
  const { keys, refs, top } = store
  const child = refs[2 * n + REF + i]
  if (!(child >= 0 && child < top && child % NODE === 0)) broken(n, `child ${i} is a node, found offset ${child}`)
  if (refs[2 * child + PARENT] !== n) broken(n, `child ${i} refers back to its parent`)
  if (refs[2 * child + LEVEL] !== refs[2 * n + LEVEL] - 1) broken(n, `child ${i} is one level below`)
  const last = maxLast(keys, child)
  if (keys[n + i] !== last) broken(n, `last ${i} is the greatest below, found ${keys[n + i]} over ${last}`)
  validateNode(store, child, low, high, seen)
}

/** Nodes and handles are in the tree or on their free list: none is lost, none is both. */
function validateFreeLists({ refs, leafOf, root, nodes, top, freeNode, size, handles, freeHandle }: Store): void {
  let free = 0
  for (let n = freeNode; n !== -1; n = refs[2 * n + PARENT]) {
    if (refs[2 * n + COUNT] !== -1) broken(n, 'a node on the free list is not in the tree')
    if (++free * NODE > top) broken(n, 'the free list of nodes has an end')
  }
  if ((nodes + free) * NODE !== top) broken(root, `${top / NODE} nodes are in use or free, found ${nodes} and ${free}`)

  free = 0
  for (let handle = freeHandle; handle !== -1; handle = -2 - leafOf[handle]) {
    if (leafOf[handle] >= 0) broken(leafOf[handle], `handle ${handle} on the free list is not in the tree`)
    if (++free > handles) broken(root, 'the free list of handles has an end')
  }
  if (size + free !== handles) broken(root, `${handles} handles are in use or free, found ${size} and ${free}`)
}

function broken(n: number, invariant: string): never {
  throw new Error(`interval tree, node ${n / NODE}: ${invariant}`)
}
