import { expect, it } from 'vitest'
import { insert } from '../src/insert.ts'
import { COUNT, LEVEL, PARENT, REF, START } from '../src/layout.ts'
import { remove } from '../src/remove.ts'
import { Store } from '../src/store.ts'
import { validate } from '../src/validate.ts'

/** A valid store of three levels with free nodes and handles. `leaf` is its first leaf, `inner` the leaf's parent. */
function grown() {
  const store = new Store(0)
  for (let i = 0; i < 400; i++) insert(store, 10 * i, 10 * i + 5)
  for (let handle = 100; handle < 200; handle++) remove(store, handle)
  validate(store)
  const leaf = store.leafOf[0] ?? -1
  return { store, leaf, inner: store.refs[2 * leaf + PARENT] ?? -1, root: store.root }
}

const harm: [invariant: string, (tree: ReturnType<typeof grown>) => void][] = [
  ['the root has no parent', ({ store, root }) => (store.refs[2 * root + PARENT] = 0)],
  ['the root is at level', ({ store }) => store.height++],
  ['the tree holds 299 intervals, found 300', ({ store }) => store.size--],
  ['nodes, found more', ({ store }) => store.nodes--],
  ['nodes, found', ({ store }) => store.nodes++],
  ['a node has 4 to 15 entries, found 3', ({ store, leaf }) => (store.refs[2 * leaf + COUNT] = 3)],
  ['a node has 4 to 15 entries, found 16', ({ store, leaf }) => (store.refs[2 * leaf + COUNT] = 16)],
  ['separator 0 repeats', ({ store, inner }) => (store.keys[inner + START] = 0)],
  ['starts are in order', ({ store, leaf }) => (store.keys[leaf + START + 1] = 1e6)],
  ['starts are in order', ({ store, inner }) => (store.keys[inner + START + 1] = 11)],
  ['unused entry 14 matches nothing', ({ store, root }) => (store.keys[root + 14] = 0)],
  ['unused entry 14 matches nothing', ({ store, root }) => (store.keys[root + START + 14] = 0)],
  ['start <= last', ({ store, leaf }) => (store.keys[leaf + 1] = 9)],
  ['refers back to its leaf', ({ store }) => (store.leafOf[0] = 0x7000)],
  ['is a node, found offset 41', ({ store, inner }) => (store.refs[2 * inner + REF + 1] = 41)],
  ['refers back to its parent', ({ store, leaf }) => (store.refs[2 * leaf + PARENT] = leaf)],
  ['is one level below', ({ store, leaf }) => (store.refs[2 * leaf + LEVEL] = 1)],
  ['is the greatest below', ({ store, inner }) => (store.keys[inner] = 1e9)],
  ['is the greatest below', ({ store, inner }) => (store.keys[inner] = 0)],
  ['a node on the free list is not in the tree', ({ store, leaf }) => (store.freeNode = leaf)],
  ['the free list of nodes has an end', ({ store }) => (store.refs[2 * store.freeNode + PARENT] = store.freeNode)],
  ['nodes are in use or free', ({ store }) => (store.freeNode = -1)],
  ['handle 0 on the free list is not in the tree', ({ store }) => (store.freeHandle = 0)],
  ['the free list of handles has an end', ({ store }) => (store.leafOf[store.freeHandle] = -2 - store.freeHandle)],
  ['handles are in use or free', ({ store }) => (store.freeHandle = -1)],
]

it.each(harm)('finds that it does not hold: %s', (invariant, damage) => {
  const tree = grown()
  damage(tree)
  expect(() => { validate(tree.store) }).toThrow(invariant)
  expect(() => { validate(tree.store) }).toThrow(/^interval tree, node \d+: /)
})

it.each([1, -1])('holds intervals that come in order in nodes that are four fifths full (step %i)', (step) => {
  const store = new Store(0)
  for (let i = 0; i < 11_000; i++) insert(store, 11_000 + i * step, 30_000)
  validate(store)
  expect(store.nodes).toBeLessThanOrEqual(1010) // 12 in a node, and one node in 12 is an inner one
})
