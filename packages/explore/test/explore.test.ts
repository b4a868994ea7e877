import { expect, test } from 'vitest'
import { assume, explore, replay, type Scenario } from '../src/index.ts'
import * as bugs from './bugs.ts'
import { lockinc } from './programs.ts'

const scenario = <S>(given: Scenario<S>): Scenario<S> => given

test('a verdict says no more than was done', async () => {
  const walked = await explore(lockinc(3), { strategy: 'random', budget: 50 })
  expect([walked.verdict, walked.executions, walked.traces]).toEqual(['sampled', 50, undefined])
  const cut = await explore(lockinc(5), { strategy: 'dpor', budget: 119 })
  expect([cut.verdict, cut.executions, cut.by]).toEqual(['sampled', 119, 'a part of optimal DPOR'])
  const whole = await explore(lockinc(5), { strategy: 'dpor', budget: 120 })
  expect([whole.verdict, whole.executions, whole.traces, whole.blocked]).toEqual(['exhausted', 120, 120, 0])
  const few = await explore(bugs.reorder(2, 1), { strategy: 'bounded', preemptions: 0 })
  expect([few.verdict, few.by]).toEqual(['sampled', 'every schedule with at most 0 preemptions'])
})

test('the same seed makes the same exploration', async () => {
  const run = async (seed: number): Promise<unknown> => {
    const { executions, counterexample } = await explore(bugs.reorder(9, 1), { seed })
    return [executions, counterexample?.token]
  }
  expect(await run(7)).toEqual(await run(7))
})

test('plain accesses that a lock orders are no race, others are, in whichever order they come', async () => {
  const counter = (locked: boolean): Scenario =>
    scenario({
      setup: (kernel) => ({ lock: kernel.mutex('lock'), other: kernel.mutex('other'), x: kernel.cell('x', 0) }),
      tasks: {
        a: async ({ lock, x }) => {
          await lock.lock()
          x.value++
          await lock.unlock()
        },
        b: async ({ lock, other, x }) => {
          const taken = locked ? lock : other
          await taken.lock()
          x.value++
          await taken.unlock()
        },
      },
    }) as Scenario
  expect((await explore(counter(true), { strategy: 'dpor' })).verdict).toBe('exhausted')
  const { counterexample } = await explore(counter(false), { strategy: 'random', budget: 1 })
  expect(counterexample?.code).toBe('RACE')
  expect(counterexample?.message).toMatch(/of x by [ab] .* by [ab] are ordered by nothing/)
})

test('what comes before a task is spawned, and before work is queued, is ordered before it', async () => {
  const handsOver = (write: 'before' | 'after'): Scenario =>
    scenario({
      setup: (kernel) => ({ work: kernel.workQueue('work'), x: kernel.cell('x', 0) }),
      tasks: {
        a: async ({ work, x }) => {
          if (write === 'before') x.value = 1
          await work.queue(async () => { if (x.value !== 1) throw new Error('too early') })
          if (write === 'after') x.value = 1
          await work.flush()
          x.value = 2
        },
      },
    }) as Scenario
  expect((await explore(handsOver('before'), { strategy: 'dpor' })).report).toContain('exhausted')
  expect((await explore(handsOver('after'), { strategy: 'dpor' })).counterexample?.code).toMatch(/^(RACE|THROWN)$/)
})

test('to look whether a completion is done is a plain access', async () => {
  const looks = (waits: boolean): Scenario =>
    scenario({
      setup: (kernel) => kernel.completion('done'),
      tasks: {
        gives: (done) => done.completeAll(),
        looks: async (done) => {
          if (waits) await done.wait()
          if (!done.done && waits) throw new Error('not done')
        },
      },
    }) as Scenario
  expect((await explore(looks(true), { strategy: 'dpor' })).verdict).toBe('exhausted')
  expect((await explore(looks(false), { strategy: 'dpor' })).counterexample?.code).toBe('RACE')
})

test('what comes before a spawn, and what comes before the end that a join waits for, is ordered', async () => {
  const family = (joins: boolean): Scenario =>
    scenario({
      setup: (kernel) => ({ x: kernel.cell('x', 0), y: kernel.cell('y', 0) }),
      tasks: {
        parent: async ({ x, y }, kernel) => {
          x.value = 1
          const child = kernel.spawn('child', async () => {
            x.value++
            await y.write(1)
            x.value++
          })
          if (joins) await child.join()
          else await y.read()
          x.value++
        },
      },
    }) as Scenario
  expect((await explore(family(true), { strategy: 'dpor' })).report).toMatch(/^exhausted/)
  expect((await explore(family(false))).counterexample?.code).toBe('RACE')
})

test('an order of locks seen in one execution is held against another, and the token says both', async () => {
  // Which lock comes first depends on who comes first, so no single execution sees both orders.
  const inversion = scenario({
    setup: (kernel) => ({ a: kernel.mutex('A'), b: kernel.mutex('B'), turn: kernel.cell('turn', 0) }),
    tasks: {
      one: async ({ a, b, turn }) => {
        const [first, second] = (await turn.update((held) => held + 1)) === 0 ? [a, b] : [b, a]
        await first.lock()
        await second.lock()
        await second.unlock()
        await first.unlock()
      },
      two: async ({ turn }) => { await turn.update((held) => held + 1) },
    },
  })
  const { counterexample } = await explore(inversion)
  expect(counterexample?.code).toBe('LOCKDEP')
  expect(counterexample?.token).toContain('|')
  expect((await replay(inversion, counterexample?.token ?? ''))?.code).toBe('LOCKDEP')
  expect((await explore(inversion, { lockdep: false })).verdict).toBe('exhausted')
})

test('a lock that is held over direct reclaim in one task and taken by reclaim in another', async () => {
  const driver = (gfp: 'GFP_KERNEL' | 'GFP_NOWAIT'): Scenario =>
    scenario({
      setup: (kernel) => ({ kernel, lock: kernel.mutex('driver.lock') }),
      tasks: {
        fault: ({ kernel, lock }) => lock.with(() => kernel.alloc(gfp)),
        shrinker: ({ kernel, lock }) => kernel.reclaim(() => lock.with(async () => undefined)),
      },
    }) as Scenario
  const { counterexample } = await explore(driver('GFP_KERNEL'))
  expect(counterexample?.message).toMatch(/^LOCKDEP .* but the other order exists:[^]*fs_reclaim/)
  expect((await explore(driver('GFP_NOWAIT'))).verdict).toBe('exhausted')
})

test('a retry loop ends by the await rule', async () => {
  const spin = (writes: boolean): Scenario =>
    scenario({
      setup: (kernel) => ({ kernel, flag: kernel.cell('flag', 0), noise: kernel.cell('noise', 0) }),
      tasks: {
        reader: async ({ kernel, flag }) => {
          while ((await flag.read()) === 0) await kernel.cpuRelax()
        },
        writer: async ({ flag, noise }) => {
          await noise.write(1)
          if (writes) await flag.write(1)
        },
      },
    }) as Scenario
  const right = await explore(spin(true))
  expect([right.verdict, right.by]).toEqual(['exhausted', 'every interleaving'])
  const { counterexample } = await explore(spin(false))
  expect([counterexample?.code, counterexample?.task]).toEqual(['LIVELOCK', 'reader'])
})

test('two loops that wake each other for ever are a livelock', async () => {
  const { counterexample } = await explore(
    scenario({
      setup: (kernel) => kernel.cell('x', 0),
      tasks: { a: async (x) => { while ((await x.read()) >= 0) await x.write(1) }, b: async (x) => { while ((await x.read()) >= 0) await x.write(2) } },
    }),
    { maxSteps: 200 },
  )
  expect(counterexample?.code).toBe('LIVELOCK')
})

test('assume drops executions, and says so', async () => {
  const { verdict, traces, dropped } = await explore(
    scenario({
      setup: (kernel) => kernel.cell('x', 0),
      tasks: { set: (x) => x.write(1), get: async (x) => { assume((await x.read()) === 1) } },
    }),
    { strategy: 'dpor' },
  )
  expect([verdict, traces, dropped]).toEqual(['exhausted', 1, 1])
})

test('tasks may spawn and join tasks', async () => {
  const { verdict, traces } = await explore(
    scenario({
      setup: (kernel) => ({ x: kernel.cell('x', 0) }),
      tasks: {
        parent: async ({ x }, kernel) => {
          const children = [1, 2].map((n) => kernel.spawn('child', () => x.write(n)))
          for (const child of children) await child.join()
          if ((await x.read()) === 0) throw new Error('joined too early')
        },
      },
    }),
    { strategy: 'dpor' },
  )
  expect([verdict, traces]).toEqual(['exhausted', 2])
})

test('who waits for a section or an item is told whose it is', async () => {
  const { counterexample } = await explore(
    scenario({
      setup: (kernel) => ({ srcu: kernel.srcu('srcu'), m: kernel.mutex('m') }),
      tasks: {
        reader: ({ srcu, m }) => srcu.read(() => m.with(async () => undefined)),
        writer: ({ srcu, m }) => m.with(() => srcu.synchronize()),
      },
    }),
    { lockdep: false },
  )
  expect(counterexample?.message).toBe('DEADLOCK  reader -> writer -> reader:\n  reader waits: lock m, held by writer; holds srcu\n  writer waits: wait srcu, held by reader; holds m')
})

test('a task that ends with a lock leaks it', async () => {
  const { counterexample } = await explore(scenario({ setup: (kernel) => kernel.mutex('m'), tasks: { a: (m) => m.lock() } }))
  expect(counterexample?.message).toBe('LEAK  task a has ended and holds m')
})

test('an error before the first operation is not lost', async () => {
  const { counterexample } = await explore(scenario({ setup: () => undefined, tasks: { a: async () => { throw new Error('at once') } } }))
  expect(counterexample?.message).toBe('THROWN  task a: at once')
})

test('tokens are checked', async () => {
  await expect(replay(bugs.account(), 'v2:nonsense')).rejects.toThrow(/^EINVAL {2}expected a token/)
  await expect(replay(bugs.account(), 'v1:0000:@1>a')).rejects.toThrow(/another scenario/)
})

test.each<[string, Record<string, unknown>, typeof TypeError | typeof RangeError, string]>([
  ['budget', { budget: 0 }, RangeError, 'budget: expected an integer >= 1, got 0'],
  ['strategy', { strategy: 'luck' }, RangeError, 'strategy: expected one of portfolio, random, pct, bounded, dpor, got "luck"'],
  ['engine', { engine: 'steam' }, RangeError, 'engine: expected one of promise, generator, got "steam"'],
  ['trylock', { trylock: 'foo' }, RangeError, 'trylock: expected one of read, write, got "foo"'],
  ['maxSteps', { maxSteps: '9' }, RangeError, 'maxSteps: expected an integer >= 1, got 9'],
  ['lockdep', { lockdep: 'no' }, TypeError, 'lockdep: expected a boolean, got "no"'],
  ['progress', { progress: 3 }, TypeError, 'progress: expected a function, got a number'],
  ['shard', { shard: null }, TypeError, 'shard: expected an object, got null'],
])('options are checked: %s', async (_, options, kind, message) => {
  await expect(explore(bugs.account(), options)).rejects.toThrow(new kind(message))
  if (['engine', 'trylock', 'maxSteps', 'lockdep'].some((field) => field in options)) await expect(replay(bugs.account(), 'v1:0000:', options)).rejects.toThrow(message)
})

test.each<[unknown, string]>([
  [undefined, 'expected an object { setup, tasks, check? }, got undefined'],
  [null, 'expected an object { setup, tasks, check? }, got null'],
  [{}, 'setup: expected a function, got undefined'],
  [{ setup: {}, tasks: {} }, 'setup: expected a function, got an object'],
  [{ setup: () => 0 }, 'tasks: expected an object with a function for each task, got undefined'],
  [{ setup: () => 0, tasks: {} }, 'tasks: expected at least one task'],
  [{ setup: () => 0, tasks: { a: async () => undefined, b: 3 } }, 'tasks.b: expected a function, got a number'],
  [{ setup: () => 0, tasks: { a: async () => undefined }, check: 'x' }, 'check: expected a function, got "x"'],
])('scenarios are checked: %j', async (scenario, message) => {
  await expect(explore(scenario as Scenario)).rejects.toThrow(new TypeError(`scenario: ${message}`))
  await expect(replay(scenario as Scenario, 'v1:0000:')).rejects.toThrow(new TypeError(`scenario: ${message}`))
})
