import { describe, expect, test } from 'vitest'
import { count } from './count.ts'
import * as p from './programs.ts'

/** The large rows take a minute: `npm run reference`. */
const large = process.env['EXPLORE_REFERENCE'] === 'all'

type Row = readonly [name: string, make: () => ReturnType<typeof p.readers>, traces: number]
const rows = (name: string, make: (n: number) => ReturnType<typeof p.readers>, traces: Record<number, number>): Row[] =>
  Object.entries(traces).map(([n, expected]) => [`${name}(${n})`, () => make(Number(n)), expected])

const REFERENCE: readonly Row[] = [
  ...rows('readers', p.readers, { 2: 4, 6: 64, 8: 256, ...(large && { 13: 8192 }) }),
  ...rows('lastzero', p.lastzero, { 1: 2, 2: 5, 3: 12, 4: 28, 5: 64, 10: 3328, ...(large && { 15: 147_456 }) }),
  ...rows('indexer', p.indexer, { 11: 1, 12: 8, ...(large && { 13: 64, 14: 512, 15: 4096, 16: 32_768 }) }),
  ...rows('filesystem', p.filesystem, { 14: 2, 16: 8, 18: 32, 19: 64, ...(large && { 22: 512 }) }),
  ...rows('ainc', p.ainc, { 1: 1, 2: 2, 3: 6, 4: 24, 5: 120, 6: 720, ...(large && { 7: 5040 }) }),
  ...rows('lockinc', p.lockinc, { 2: 2, 3: 6, 4: 24, 5: 120, 6: 720 }),
  ...rows('lock2inc', p.lock2inc, { 2: 2, 3: 6, 4: 24, 5: 120 }),
  ...rows('binc', p.binc, { 2: 4, 3: 36, 4: 576 }),
  ...rows('cinc', p.cinc, { 2: 8, 3: 216, ...(large && { 4: 13_824 }) }),
  ...rows('inc', p.inc, { 2: 4, 3: 36, 4: 576 }),
  ...rows('cas', p.cas, { 2: 2, 3: 3, 4: 4, 5: 5 }),
  ...rows('casw', p.casw, { 2: 6, 3: 66, 4: 1200, ...(large && { 5: 32_880 }) }),
  ['dekker_f', p.dekker, 3],
  ['peterson', p.peterson, 4],
  ['lamport(2)', () => p.lamport(2), 16],
  ['szymanski', p.szymanski, 6],
  ...rows('mutex_deadlock', p.mutexDeadlock, { 2: 2, 3: 3 }),
  ['mutex_hard', p.mutexHard, 4],
  ['cmpxhg(3)', p.cmpxhg, 5],
  ['POPL_optimal_example', p.poplExample, 5],
  ['combination_lock_1', p.combinationLock, 6],
]

describe('one execution for each Mazurkiewicz trace, as published', () => {
  test.each(REFERENCE)('%s', async (_name, make, expected) => {
    const { executions, blocked, traces } = await count(make())
    expect({ executions, blocked, traces: traces.size }).toEqual({ executions: expected, blocked: 0, traces: expected })
  })
})

describe('a failed trylock is a read; where it counts as a write, as it does in Nidhugg, there are more traces', () => {
  test.each([
    ['mutex_trylock_deadlock', p.mutexTrylockDeadlock, 3, 6],
    ['mutex_trylock_unlock', p.mutexTrylockUnlock, 21, 24],
    ['mutex_vs_trylock_1', () => p.mutexVsTrylock(1), 3, 3],
    ['mutex_vs_trylock_2', () => p.mutexVsTrylock(2), 15, 16],
  ] as const)('%s', async (_name, make, read, write) => {
    for (const [trylockWrites, expected] of [[false, read], [true, write]] as const) {
      const { executions, blocked, traces } = await count(make(), 'optimal', { trylockWrites })
      expect({ trylockWrites, executions, blocked, traces: traces.size }).toEqual({ trylockWrites, executions: expected, blocked: 0, traces: expected })
      expect((await count(make(), 'all', { trylockWrites })).traces.size).toBe(expected)
    }
  })
})

describe('source-DPOR takes the executions that it is known to take', () => {
  test.each([
    ['lastzero(5)', () => p.lastzero(5), 64, 33],
    ['POPL_optimal_example', p.poplExample, 5, 5],
    ['combination_lock_1', p.combinationLock, 6, 6],
  ] as const)('%s', async (_name, make, complete, blocked) => {
    const counts = await count(make(), 'source')
    expect([counts.traces.size, counts.executions, counts.blocked]).toEqual([complete, complete, blocked])
  })
})

describe('distinct traces with at most k preemptions, as published (GenMC)', () => {
  test.each([
    ['ainc(3)', () => p.ainc(3), [6]],
    ['binc(2)', () => p.binc(2), [2, 4]],
    ['binc(3)', () => p.binc(3), [6, 24, 36]],
    ['binc(4)', () => p.binc(4), [24, 168, 432, 576]],
    ['casw(2)', () => p.casw(2), [2, 4, 6]],
    ['casw(3)', () => p.casw(3), [6, 24, 54, 66]],
    ['casw(4)', () => p.casw(4), [24, 168, 576, 1056, 1200]],
    ['lockinc(3)', () => p.lockinc(3), [6]],
    ['lamport(2)', () => p.lamport(2), [2, 6, 10, 16]],
    ['szymanski', p.szymanski, [2, 2, 6]],
    ['peterson', p.peterson, [2, 2, 4]],
  ] as const)('%s', async (_name, make, expected) => {
    const counts: number[] = []
    for (let preemptions = 0; preemptions < expected.length; preemptions++) counts.push((await count(make(), { preemptions })).traces.size)
    expect(counts).toEqual(expected)
  })
})
