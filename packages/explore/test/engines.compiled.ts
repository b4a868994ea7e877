import { describe, expect, test } from 'vitest'
import { explore, replay, type EngineKind, type Exploration, type ExploreOptions, type Scenario } from '../src/index.ts'
import * as bugs from './bugs.ts'
import { Engine } from '../src/engine.ts'
import * as p from './programs.ts'
import { randomProgram } from './random-program.ts'

/* Of the project `explore-compiled`: this file is compiled, and so are the kernel and the scenarios. */

test('what is compiled runs as generators', async () => {
  const engine = new Engine(bugs.account(), { lockdep: true, trylockWrites: false, maxSteps: 100, kind: undefined })
  await engine.run({ prefix: 0, needsTrace: false, wantsRaces: false, choose: ({ enabled }) => enabled[0] ?? -1, way: () => 0 })
  expect(engine.kind).toBe('generator')
})

test('so is a setup whose operations give nothing back', async () => {
  const { verdict, report } = await explore(
    {
      async setup(kernel) {
        const m = kernel.mutex('m')
        await m.lock()
        await m.unlock()
        return { m }
      },
      tasks: { task: ({ m }) => m.with(async () => undefined) },
    },
    { engine: 'generator', strategy: 'dpor' },
  )
  expect({ verdict, report }).toEqual({ verdict: 'exhausted', report: 'exhausted: 1 traces, 1 executions; optimal DPOR' })
})

describe('both engines find the same', () => {
  async function both(make: () => Scenario, options: ExploreOptions): Promise<Exploration> {
    const [one, other] = await Promise.all((['promise', 'generator'] as EngineKind[]).map((engine) => explore(make(), { ...options, engine })))
    expect({ ...other, counterexample: { ...other?.counterexample, error: undefined } }).toEqual({ ...one, counterexample: { ...one?.counterexample, error: undefined } })
    return one ?? expect.unreachable()
  }

  test.each([
    ['reorder', () => bugs.reorder(2, 1)],
    ['twostage', () => bugs.twostage(1, 1)],
    ['bluetooth', () => bugs.bluetooth()],
    ['account', () => bugs.account()],
    ['philosophers', () => bugs.philosophers(3)],
    ['lost wake-up', () => bugs.lostWakeup()],
  ] as const)('%s: the same report, site for site, and a token that either replays', async (_name, make) => {
    for (const seed of [1, 2, 3]) {
      const { counterexample } = await both(make, { seed, lockdep: false })
      for (const engine of ['promise', 'generator'] as const) {
        expect((await replay(make(), counterexample?.token ?? '', { engine, lockdep: false }))?.message).toBe(counterexample?.message)
      }
    }
  })

  test.each([
    ['lastzero(5)', () => p.lastzero(5)],
    ['casw(3)', () => p.casw(3)],
    ['handshake', () => bugs.handshake()],
  ] as const)('%s: the same traces', async (_name, make) => {
    await both(make as () => Scenario, { strategy: 'dpor' })
    await both(make as () => Scenario, { strategy: 'bounded', preemptions: 1 })
  })

  test('random programs: the same verdict, counts and token', async () => {
    for (let seed = 1; seed <= 60; seed++) await both(() => randomProgram(seed).scenario as unknown as Scenario, { budget: 500 })
  })
})
