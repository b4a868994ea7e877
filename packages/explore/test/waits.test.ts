import { expect, test } from 'vitest'
import { count } from './count.ts'
import * as w from './waits.ts'

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1))

type Row = readonly [name: string, make: () => ReturnType<typeof w.wakeOne>, traces: number]
const rows = (name: string, make: (n: number) => ReturnType<typeof w.wakeOne>, traces: readonly number[]): Row[] =>
  traces.map((expected, i) => [`${name}(${i + 1})`, () => make(i + 1), expected])


const COUNTED: readonly Row[] = [
  // k of the n are asleep when it comes, and any of these is woken: the sum of (n over k) * max(1, k).
  ...rows('wakeOne', w.wakeOne, [2, 5, 13, 33]),
  // At every point at least as many complete as waits (Catalan), and the waiters in any order.
  ...rows('completion', (n) => w.completion(n, n), [1, 4, 30, 336]),
  ['completion for one of two', () => w.completion(2, 1), 2],
  ['completion, and a step beside it', w.completionBeside, 1],
  ...rows('completeAll', w.completeAll, [1, 1, 1]),
  ...rows('tryWait', w.tryWait, [2, 4, 8]),
  // A reader comes after the writer; or before him, and asks for a retry before, in or after his section.
  ...rows('seqCount', w.seqCount, [4, 16, 64]),
  // The snapshot comes before a section, in it or after it.
  ...rows('synchronize', (n) => w.synchronize(n, 1), [3, 9, 27, 81]),
  // Two in an order, and where each is in the section, without going back: 2 * 6.
  ['synchronize twice', () => w.synchronize(1, 2), 12],
  ...rows('spin_trylock under a holder', w.spinTryLock, [1, 1, 1]),
  ...rows('down_read_trylock under a writer', (n) => w.rwTryLock(n, 'write', (lock) => lock.tryLockRead()), [1, 1, 1]),
  ...rows('down_write_trylock under a reader', (n) => w.rwTryLock(n, 'read', (lock) => lock.tryLockWrite()), [1, 1, 1]),
  // Two that succeed are ordered, as failed ones are not; then the first is given back before the second is taken, or after it.
  ['down_read_trylock beside a reader', () => w.rwTryLock(2, 'read', async (lock) => { if (await lock.tryLockRead()) await lock.unlockRead() }), 4],
  // Only the order in which they are queued, and where the flush is in it.
  ...rows('workQueue', w.workQueue, [1, 2, 3, 4].map((n) => factorial(n + 1))),
]

test.each(COUNTED)('as many executions as there are traces, counted by hand: %s', async (_name, make, expected) => {
  const { executions, blocked, traces } = await count(make())
  expect([executions, blocked, traces.size]).toEqual([expected, 0, expected])
  for (const algorithm of expected > 40 ? (['sleep', 'source'] as const) : (['all', 'sleep', 'source'] as const)) expect([algorithm, (await count(make(), algorithm)).traces.size]).toEqual([algorithm, expected])
})
