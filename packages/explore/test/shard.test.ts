import { expect, test } from 'vitest'
import { explore, merge, parseShard, type Exploration, type ExploreOptions, type Scenario } from '../src/index.ts'
import * as bugs from './bugs.ts'
import * as p from './programs.ts'
import { randomProgram, SHAPES } from './random-program.ts'

async function shards(make: () => Scenario, count: number, options: ExploreOptions = {}): Promise<Exploration[]> {
  const parts: Exploration[] = []
  for (let index = 0; index < count; index++) parts.push(await explore(make(), { strategy: 'dpor', budget: 1e6, ...options, shard: { index, count } }))
  return parts
}

test.each([
  ['lastzero(5)', () => p.lastzero(5), 64],
  ['casw(3)', () => p.casw(3), 66],
  ['lockinc(5)', () => p.lockinc(5), 120],
  ['readers(8)', () => p.readers(8), 256],
  ['POPL', p.poplExample, 5],
  ['ainc(1)', () => p.ainc(1), 1],
] as const)('the shards of %s together run every trace, once', async (_name, make, traces) => {
  for (const count of [2, 3, 7]) {
    const parts = await shards(make as () => Scenario, count)
    const merged = merge(parts)
    expect([merged.verdict, merged.traces, merged.shard], merged.report).toEqual(['exhausted', traces, undefined])
    if (traces > 50) expect(parts.filter((part) => (part.traces ?? 0) > 0).length, 'most shards have something to do').toBeGreaterThan(count / 2)
  }
})

test('the shards of random programs together see every final state', async () => {
  let compared = 0
  const shapes = Object.values(SHAPES)
  for (let seed = 1; seed <= 400; seed++) {
    const shape = shapes[seed % shapes.length]
    const whole = randomProgram(seed, shape)
    const { verdict, traces } = await explore(whole.scenario, { strategy: 'dpor', budget: 600, lockdep: false })
    if (verdict !== 'exhausted') continue
    const split = randomProgram(seed, shape)
    const merged = merge(await shards(() => split.scenario as unknown as Scenario, 3, { lockdep: false }))
    expect([merged.verdict, [...split.finals].sort()], whole.text).toEqual(['exhausted', [...whole.finals].sort()])
    // What a section or a predicate touches in one part need not be known in another: there, parts may repeat each other, or tell fewer executions apart.
    if (!/section|wait|work|flush|seq|srcu|synchronize/.test(whole.text)) expect(merged.traces, whole.text).toBe(traces)
    compared++
  }
  expect(compared).toBeGreaterThan(150)
})

test('bounded search and the portfolio are split, too', async () => {
  const bounded = merge(await shards(() => p.lockinc(4) as unknown as Scenario, 3, { strategy: 'bounded', preemptions: 9 }))
  expect([bounded.verdict, bounded.by]).toEqual(['exhausted', 'every interleaving'])
  expect(bounded.traces).toBe(24)
  expect(merge(await shards(() => p.lockinc(4) as unknown as Scenario, 3, { strategy: 'portfolio' })).verdict).toBe('exhausted')
  expect(merge(await shards(() => bugs.account(), 4, { strategy: 'portfolio' })).verdict).toBe('failed')
})

test('walks are split by seed and budget', async () => {
  const parts = await shards(() => p.lockinc(4) as unknown as Scenario, 3, { strategy: 'random', budget: 100 })
  expect(parts.map(({ executions }) => executions)).toEqual([34, 33, 33])
  expect(merge(parts).executions).toBe(100)
  const found = await shards(() => bugs.reorder(9, 1), 2, { strategy: 'random' })
  expect(found[0]?.counterexample?.token).toBe((await explore(bugs.reorder(9, 1), { strategy: 'random' })).counterexample?.token)
  expect(found[0]?.executions).not.toBe(found[1]?.executions)
})

test('a merged verdict says no more than its parts', async () => {
  const parts = await shards(() => p.lastzero(5) as unknown as Scenario, 3)
  const [first, second, third] = parts as [Exploration, Exploration, Exploration]
  expect(merge([first, third])).toMatchObject({ verdict: 'sampled', traces: undefined, by: '2 of 3 shards; missing: 2' })
  expect(merge([first, { ...second, verdict: 'sampled', traces: undefined }, third]).verdict).toBe('sampled')
  expect(merge([first, { ...second, verdict: 'failed' }, third]).verdict).toBe('failed')
  expect(() => merge([first, first])).toThrow('EINVAL  merge: shard 1/3 is there twice')
  expect(() => merge([])).toThrow('EINVAL  merge: expected at least one')
  const [other = expect.unreachable()] = await shards(() => bugs.account(), 3, { strategy: 'random', budget: 3 })
  expect(() => merge([first, { ...other, shard: { index: 1, count: 3 } }])).toThrow('different scenarios')
  expect(() => merge([first, { ...second, shard: { index: 1, count: 4 } }])).toThrow('expected shards of 3, got one of 4')
})

test('shards are numbered from 1 on the command line', () => {
  expect(parseShard('2/4')).toEqual({ index: 1, count: 4 })
  for (const text of ['0/4', '5/4', '1', '1/0', 'a/b', '1/4/2', '']) expect(() => parseShard(text), text).toThrow(RangeError)
})
