import { afterEach, describe, expect, it, vi } from 'vitest'
import { IntervalTree } from '../src/index.ts'
import { random } from './twin.ts'

const MAX = Number.MAX_SAFE_INTEGER

/** A tree of the intervals, and their handles. */
function plant(...intervals: readonly (readonly [number, number])[]) {
  const tree = new IntervalTree()
  return { tree, handles: intervals.map(([start, last]) => tree.insert(start, last)) }
}

describe('bounds', () => {
  it('are inclusive on both sides', () => {
    const { tree, handles } = plant([10, 20])
    const [handle] = handles
    expect(tree.findFirst(0, 9)).toBe(-1)
    expect(tree.findFirst(0, 10)).toBe(handle)
    expect(tree.findFirst(20, 20)).toBe(handle)
    expect(tree.findFirst(21, 30)).toBe(-1)
  })

  it('reach from 0 to 2 ** 53 - 1', () => {
    const { tree, handles } = plant([0, 0], [MAX, MAX], [0, MAX])
    expect(tree.findFirst(MAX, MAX)).toBe(handles[2])
    expect(tree.findNext(2, MAX, MAX)).toBe(handles[1])
    expect([tree.startOf(1), tree.lastOf(1)]).toEqual([MAX, MAX])
  })

  it.each([
    [5, 4],
    [-1, 4],
    [0.5, 4],
    [0, 4.5],
    [0, MAX + 1],
    [NaN, 4],
    [0, NaN],
    [0, Infinity],
    [-Infinity, 0],
  ])('refuse the interval [%d, %d]', (start, last) => {
    const tree = new IntervalTree()
    const error = new RangeError(`interval [${start}, ${last}]: expected integers with 0 <= start <= last <= 2 ** 53 - 1`)
    expect(() => tree.insert(start, last)).toThrow(error)
    expect(tree.size).toBe(0)
  })

  it.each([
    [5, 4],
    [NaN, 4],
    [5, NaN],
  ])('refuse the query [%d, %d]', (start, last) => {
    const { tree, handles } = plant([0, 9])
    const error = new RangeError(`query [${start}, ${last}]: expected start <= last`)
    expect(() => tree.findFirst(start, last)).toThrow(error)
    expect(() => tree.findNext(handles[0] ?? -1, start, last)).toThrow(error)
    expect(() => tree.overlaps(start, last, new Int32Array(1))).toThrow(error)
  })
})

describe('order', () => {
  it('is by start, then by insertion, whatever the last', () => {
    const { tree, handles } = plant([5, 9], [3, 4], [5, 5], [5, 90], [3, 30])
    const [a, b, c, d, e] = handles
    expect([...tree.handles()]).toEqual([b, e, a, c, d])
  })

  it('puts a reinserted interval behind its equals, also under its old handle', () => {
    const { tree, handles } = plant([5, 5], [5, 5], [5, 5])
    const [first = -1, ...others] = handles
    tree.remove(first)
    expect(tree.insert(5, 5)).toBe(first)
    expect([...tree.handles()]).toEqual([...others, first])
  })
})

describe('handles', () => {
  it.each([-1, 1, 16, 1e9, 0.5, NaN, Infinity])('%d was never given', (handle) => {
    const { tree } = plant([0, 9])
    const error = new RangeError(`handle ${handle} is not in the tree`)
    expect(tree.has(handle)).toBe(false)
    expect(() => { tree.remove(handle) }).toThrow(error)
    expect(() => tree.startOf(handle)).toThrow(error)
    expect(() => tree.lastOf(handle)).toThrow(error)
    expect(() => tree.findNext(handle, 0, 9)).toThrow(error)
  })

  it('that the grown tree has room for were not given either', () => {
    const { tree } = plant(...Array.from({ length: 100 }, (_, i) => [i, i] as const))
    for (let handle = 100; handle < 300; handle++) expect(tree.has(handle)).toBe(false)
  })

  it('end with their interval', () => {
    const { tree } = plant([0, 9], [1, 9])
    tree.remove(0)
    expect(tree.has(0)).toBe(false)
    expect(() => { tree.remove(0) }).toThrow(RangeError)
    expect(tree.has(1)).toBe(true)
  })

  it('stay below the greatest size', () => {
    const next = random(3)
    const tree = new IntervalTree()
    const live: number[] = []
    for (let i = 0; i < 5000; i++) {
      if (live.length === 100) tree.remove(live.splice(next(100), 1)[0] ?? -1)
      live.push(tree.insert(next(1000), 1000))
      expect(live.at(-1)).toBeLessThan(100)
    }
    tree.validate()
  })

  it('may be walked while other intervals come and go', () => {
    const { tree } = plant(...Array.from({ length: 100 }, (_, i) => [i, i] as const))
    const seen: number[] = []
    for (const handle of tree.handles()) {
      seen.push(handle)
      if (handle < 99) tree.remove(handle + 1)
      if (handle > 0) tree.insert(0, 0)
    }
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i))
  })
})

describe('overlaps', () => {
  it('stops at a full array, and findNext goes on from there', () => {
    const { tree, handles } = plant(...Array.from({ length: 100 }, (_, i) => [i, 200] as const))
    const out = new Int32Array(64)
    expect(tree.overlaps(10, 89, out)).toBe(64)
    expect([...out]).toEqual(handles.slice(0, 64))
    expect(tree.findNext(out[63] ?? -1, 10, 89)).toBe(handles[64])
    expect(tree.overlaps(10, 89, new Int32Array(0))).toBe(0)
  })

  it('leaves the rest of the array alone', () => {
    const { tree, handles } = plant([0, 9])
    const out = new Int32Array(3).fill(-7)
    expect(tree.overlaps(9, 9, out)).toBe(1)
    expect([...out]).toEqual([handles[0], -7, -7])
  })
})

it('is empty after clear, in the same buffers, and gives handles from 0 again', () => {
  const { tree } = plant(...Array.from({ length: 1000 }, (_, i) => [i, i] as const))
  const { byteLength } = tree
  tree.clear()
  tree.validate()
  expect([tree.size, tree.has(0), tree.findFirst(0, MAX), tree.byteLength]).toEqual([0, false, -1, byteLength])
  expect(tree.insert(4, 4)).toBe(0)
  tree.validate()
})

describe('memory', () => {
  afterEach(() => { vi.unstubAllGlobals() })

  it('of an empty tree is one node', () => {
    expect(new IntervalTree().byteLength).toBeLessThanOrEqual(400)
  })

  it.each([-1, 1.5, NaN, 2 ** 27 + 1, Infinity])('refuses the capacity %d', (capacity) => {
    expect(() => new IntervalTree(capacity)).toThrow(new RangeError(`capacity: expected an integer from 0 to 134217728, got ${capacity}`))
  })

  /** Bytes per interval of n inserted ones. */
  function bytes(n: number, start: (i: number) => number, capacity?: number) {
    const tree = new IntervalTree(capacity)
    for (let i = 0; i < n; i++) tree.insert(start(i), 2 ** 40)
    return tree.byteLength / n
  }
  const next = random(9)

  it('is at most 64 bytes per interval that comes at random or in order', () => {
    for (const n of [10_000, 30_000, 100_000]) {
      expect(bytes(n, () => next(2 ** 30))).toBeLessThanOrEqual(64)
      expect(bytes(n, (i) => i)).toBeLessThanOrEqual(64)
      expect(bytes(n, (i) => n - i)).toBeLessThanOrEqual(64)
    }
  })

  it('is at most 48 bytes with the right capacity, which then suffices', () => {
    expect(bytes(100_000, () => next(2 ** 30), 100_000)).toBeLessThanOrEqual(48)
    expect(bytes(100_000, () => next(2 ** 30), 100_000)).toBe(new IntervalTree(100_000).byteLength / 100_000)
  })

  it('grows in time from every capacity', () => {
    for (let capacity = 0; capacity < 500; capacity++) {
      const tree = new IntervalTree(capacity)
      for (let i = 0; i < 500; i++) tree.insert(i, i)
      tree.validate()
    }
  })

  it('does not leak: what goes makes room for what comes', () => {
    const tree = new IntervalTree()
    const live = Array.from({ length: 2000 }, () => tree.insert(next(1e6), 2e6))
    for (let i = 0; i < 20_000; i++) {
      const at = next(live.length)
      tree.remove(live[at] ?? -1)
      live[at] = tree.insert(next(1e6), 2e6)
    }
    tree.validate()
    expect(tree.byteLength / tree.size).toBeLessThanOrEqual(64)
  })

  it.each(['Float64Array', 'Int32Array'])('running out leaves the tree as it was (%s)', (type) => {
    const tree = new IntervalTree()
    const grow = () => { for (let i = 0; i < 10_000; i++) tree.insert(next(100), 100 + next(100)) }
    vi.stubGlobal(type, function () { throw new RangeError('Array buffer allocation failed') })
    expect(grow).toThrow('Array buffer allocation failed')
    vi.unstubAllGlobals()
    tree.validate()
    const before = [...tree.handles()]
    expect(before.length).toBe(tree.size)
    grow()
    tree.validate()
  })
})
