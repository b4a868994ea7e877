import { expect, test } from 'vitest'
import { mergeByTime, type Timed } from '../src/merge.ts'

interface Item extends Timed {
  readonly name: string
}

let open = 0

function source(firstTime: number, ...batches: Item[][]): { firstTime: number; open(): AsyncIterator<readonly Item[]> } {
  async function* items(): AsyncGenerator<readonly Item[]> {
    open++
    try {
      for (const batch of batches) yield batch
    } finally {
      open--
    }
  }
  return { firstTime, open: items }
}

const items = (name: string, ...times: number[]): Item[] => times.map((time) => ({ name, time }))

async function merged(...sources: ReturnType<typeof source>[]): Promise<{ order: string; mostOpen: number }> {
  let mostOpen = 0
  const order: string[] = []
  for await (const batch of mergeByTime(sources)) {
    mostOpen = Math.max(mostOpen, open)
    order.push(...batch.map(({ name, time }) => `${name}${time}`))
  }
  expect(open).toBe(0)
  return { order: order.join(' '), mostOpen }
}

test('by time, across batches, empty ones included; equal times in order of the sources', async () => {
  const a = source(1, items('a', 1, 4), [], items('a', 6, 9))
  const b = source(2, items('b', 3, 4, 5), items('b', 7))
  expect((await merged(a, b)).order).toBe('a1 b3 a4 b4 b5 a6 b7 a9')
})

test('a source is open from its first time to its end', async () => {
  const sources = Array.from({ length: 50 }, (_, i) => source(i * 10, items('x', i * 10 + 1, i * 10 + 2)))
  const { order, mostOpen } = await merged(...sources)
  expect(order.split(' ')).toHaveLength(100)
  expect(mostOpen).toBeLessThanOrEqual(2)
})

test('nothing, and empty sources', async () => {
  expect((await merged()).order).toBe('')
  expect((await merged(source(1), source(5, items('b', 6)))).order).toBe('b6')
})

test('abandoned, all sources are closed', async () => {
  for await (const batch of mergeByTime([source(1, items('a', 1), items('a', 3)), source(1, items('b', 2), items('b', 4))])) if (batch.length > 0) break
  expect(open).toBe(0)
})
