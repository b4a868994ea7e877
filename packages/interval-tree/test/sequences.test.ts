import { describe, expect, it } from 'vitest'
import { random, Twin } from './twin.ts'

type Interval = readonly [start: number, last: number]
const N = 200 // three levels
const MAX = Number.MAX_SAFE_INTEGER

const list = (interval: (i: number) => Interval) => Array.from({ length: N }, (_, i) => interval(i))
const any = random(0x5eed)

const shapes: Record<string, Interval[]> = {
  'ascending, disjoint': list((i) => [10 * i, 10 * i + 4]),
  'descending, disjoint': list((i) => [10 * (N - i), 10 * (N - i) + 4]),
  'zigzag from both ends': list((i) => (i % 2 ? [i, i] : [5 * N - i, 5 * N])),
  'all the same': list(() => [7, 9]),
  'one start, growing': list((i) => [7, 7 + i]),
  'one start, shrinking': list((i) => [7, 7 + N - i]),
  'runs of equal starts': list((i) => [100 * (i % 3), 100 * (i % 3) + (i % 50)]),
  'nested, outermost first': list((i) => [i, 2 * N - i]),
  'nested, innermost first': list((i) => [N - i, N + i]),
  'points under a few long ones': list((i) => (i % 40 ? [3 * i, 3 * i] : [3 * i, 3 * i + 400])),
  'at the upper end': list((i) => [MAX - (i % 7), MAX - (i % 3 ? 0 : i % 7)]),
  'everything and points': list((i) => (i % 20 ? [MAX - i, MAX - i] : [0, MAX])),
  random: list(() => [any(1000), 1000 + any(200)]),
}

const removals: Record<string, (size: number) => number> = {
  'from the front': () => 0,
  'from the back': (size) => size - 1,
  'from the middle': (size) => size >> 1,
  'every seventh': (size) => 7 % size,
  'in random order': (size) => any(size),
}

describe.each(Object.entries(shapes))('%s', (_, intervals) => {
  it.each(Object.entries(removals))('in, then out %s', (__, pick) => {
    const twin = new Twin()
    const probe = () => {
      const [start, last] = intervals[any(N)] ?? [0, 0]
      twin.query(start, last)
      twin.query(Math.max(start - 1, 0), start)
      twin.query(last, Math.min(last + 1, MAX))
      twin.queryBehind(any(N), start, last)
    }
    for (const [start, last] of intervals) {
      twin.insert(start, last)
      twin.tree.validate()
      probe()
    }
    twin.check()
    while (twin.entries.length > 0) {
      twin.remove(pick(twin.entries.length))
      twin.tree.validate()
      if (twin.entries.length % 8 === 0) twin.check()
      probe()
    }
    expect(twin.tree.findFirst(0, MAX)).toBe(-1)
  })
})

describe('random growth and decline', () => {
  it.each([1, 2, 3, 4, 5, 6])('seed %i', (seed) => {
    const next = random(seed * 0x9e3779b1)
    const twin = new Twin()
    const span = [20, 1000, 1e9][seed % 3] ?? 0
    for (const growth of [80, 30, 70, 45, 5]) {
      for (let step = 0; step < 600; step++) {
        const start = next(span)
        if (next(100) < growth) twin.insert(start, start + next(next(9) ? 10 : span))
        else twin.remove(next(2 ** 30))
        if (step % 10 === 0) twin.query(start, start + next(span / 10))
        if (step % 50 === 0) twin.check()
      }
      twin.check()
    }
  })
})
