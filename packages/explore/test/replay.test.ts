import type { Cell, Kernel, Mutex, Srcu, WaitQueue } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { Engine } from '../src/engine.ts'
import { explore, replay, type Scenario } from '../src/index.ts'
import { Random } from '../src/random.ts'
import { named, Retrace } from '../src/schedule.ts'
import { RandomWalk } from '../src/walks.ts'
import { randomProgram, SHAPES, type Shape } from './random-program.ts'

const shapeOf = (name: string): Shape => SHAPES[name] ?? expect.unreachable()

test('an engine that knows of no execution before repeats what another one did', async () => {
  const options = { lockdep: false, trylockWrites: false, maxSteps: 10_000, kind: undefined }
  // What is numbered in the order in which it was met: tasks that tasks have spawned, and what those do at once.
  const kinds = ['spawn', 'spawn', 'spawn', 'srcu_read', 'srcu_read', 'synchronize', 'wait', 'wait', 'wake_one', 'wake_one', 'add'] as const
  const shape: Shape = { ...shapeOf('every'), tasks: [3, 4], kinds, statements: () => 2 }
  for (let seed = 1; seed <= 150; seed++) {
    const make = (): { engine: Engine; finals: Set<string> } => {
      const { scenario, finals } = randomProgram(seed, shape)
      return { engine: new Engine(scenario as Scenario, options), finals }
    }
    const did = ({ trace, taskNames }: Engine, finals: Set<string>): unknown => [trace.events.map(({ task, kind, name, way }) => `${taskNames[task] ?? '?'}: ${kind} ${name} ${way}`), [...finals].at(-1)]
    const { engine, finals } = make()
    for (let walk = 0; walk < 20; walk++) {
      finals.clear()
      const { end } = await engine.run(new RandomWalk(new Random(walk)), { record: true })
      const other = make()
      const again = await other.engine.run(new Retrace(other.engine.taskNames, named(engine.choices, engine.taskNames)), { record: true })
      expect([again.end, did(other.engine, other.finals)], `seed ${seed}, walk ${walk}`).toEqual([end, did(engine, finals)])
    }
  }
})

test('what tasks do at once is numbered by their names, whichever was spawned first', async () => {
  interface Shared { kernel: Kernel; x: Cell<number>; queue: WaitQueue; srcu: Srcu }
  const parent = async ({ kernel, x, queue, srcu }: Shared): Promise<void> => {
    await x.update((held) => held + 1)
    kernel.spawn('child', () => srcu.read(() => queue.until(() => x.value > 2)))
  }
  const scenario: Scenario<Shared> = {
    setup: (kernel) => ({ kernel, x: kernel.cell('x', 0), queue: kernel.waitQueue('queue'), srcu: kernel.srcu('srcu') }),
    tasks: { p: parent, q: parent, waker: async ({ x, queue, srcu }) => {
      await x.update((held) => held + 1)
      for (let i = 0; i < 3; i++) await queue.wakeOne()
      await srcu.synchronize()
    } },
  }
  const make = (): Engine => new Engine(scenario as Scenario, { lockdep: false, trylockWrites: false, maxSteps: 10_000, kind: undefined })
  const did = ({ trace, taskNames }: Engine): string[] => trace.events.map(({ task, kind, name, way, after }) => `${taskNames[task] ?? '?'}: ${kind} ${name} ${way} after ${after.length}`)
  const engine = make()
  for (let walk = 0; walk < 200; walk++) {
    const { end } = await engine.run(new RandomWalk(new Random(walk)), { record: true })
    const other = make()
    const again = await other.run(new Retrace(other.taskNames, named(engine.choices, engine.taskNames)), { record: true })
    expect([again.end, did(other)], `walk ${walk}`).toEqual([end, did(engine)])
  }
})

test('tokens of random programs replay', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    for (const shape of ['work', 'every', 'wakeone'].map(shapeOf)) {
      const make = (): Scenario => {
        const { scenario, finals } = randomProgram(seed, shape)
        const check: typeof scenario.check = (state, kernel) => {
          finals.clear()
          void scenario.check?.(state, kernel)
          const text = [...finals].join()
          if (text.length % 4 === 0 || text.includes('2,')) throw new Error(text)
        }
        return { ...scenario, check } as Scenario
      }
      const { counterexample } = await explore(make(), { budget: 40, strategy: 'random', seed, lockdep: false })
      if (!counterexample) continue
      expect((await replay(make(), counterexample.token, { lockdep: false }))?.message, `seed ${seed}`).toBe(counterexample.message)
    }
  }
})

test('a token says which sleeper was woken, and so does the report', async () => {
  interface Queues { queue: WaitQueue; go: Cell<number>; stop: Cell<number> }
  // One queue for two conditions: wakeOne may wake the wrong sleeper.
  const scenario: Scenario<Queues> = {
    setup: (kernel) => ({ queue: kernel.waitQueue('queue'), go: kernel.cell('go', 0), stop: kernel.cell('stop', 0) }),
    tasks: {
      goes: async ({ queue, go, stop }) => {
        await queue.until(() => go.value === 1)
        await stop.write(1)
        await queue.wakeAll()
      },
      stops: ({ queue, stop }) => queue.until(() => stop.value === 1),
      waker: async ({ queue, go }) => {
        await go.write(1)
        await queue.wakeOne()
      },
    },
  }
  const { counterexample, report } = await explore(scenario, { strategy: 'dpor' })
  expect(counterexample?.code).toBe('LOST_WAKEUP')
  expect(counterexample?.token).toMatch(/^v1:[0-9a-f]{4}:@3>waker\+1$/)
  expect(report).toMatch(/ > +wake queue \(one\): stops /)
  expect((await replay(scenario, counterexample?.token ?? ''))?.message).toBe(counterexample?.message)
  expect(await replay(scenario, counterexample?.token.replace('+1', '+0') ?? '')).toBeUndefined()
})

test('a token that cannot be followed is refused, and not called a pass', async () => {
  const scenario: Scenario<Cell<number>> = {
    setup: (kernel) => kernel.cell('x', 0),
    tasks: { a: async (x) => { await x.write((await x.read()) + 1) }, '': async (x) => { await x.write((await x.read()) + 1) } },
    check(x) { if (x.value !== 2) throw new Error('lost') },
  }
  const { counterexample } = await explore(scenario)
  const { token, deviations } = counterexample ?? expect.unreachable()
  expect([(await replay(scenario, token))?.code, deviations.length]).toEqual(['CHECK', 1])
  const [v, mark] = token.split(':')
  for (const asked of ['', '@1>a']) expect(await replay(scenario, `${v}:${mark}:${asked}`)).toBeUndefined()
  for (const [asked, name] of [['@1>nobody', 'nobody'], ['@999>a', 'a'], ['@4>a', 'a']]) {
    await expect(replay(scenario, `${v}:${mark}:${asked}`)).rejects.toThrow(`EINVAL  no switch to ${name} at step ${/\d+/.exec(asked ?? '')?.[0] ?? ''}, which the token asks for`)
  }
})

test('a livelock is replayed with the steps that it took to be one', async () => {
  const backOff = async (first: Mutex, second: Mutex, kernel: Kernel): Promise<void> => {
    for (;;) {
      await first.lock()
      if (await second.tryLock()) break
      await first.unlock()
      await kernel.cpuRelax()
    }
    await second.unlock()
    await first.unlock()
  }
  const scenario: Scenario<{ a: Mutex; b: Mutex }> = {
    setup: (kernel) => ({ a: kernel.mutex('a'), b: kernel.mutex('b') }),
    tasks: { p: ({ a, b }, kernel) => backOff(a, b, kernel), q: ({ a, b }, kernel) => backOff(b, a, kernel) },
  }
  const { counterexample } = await explore(scenario, { maxSteps: 50 })
  const { code, token } = counterexample ?? expect.unreachable()
  expect([code, token]).toEqual(['LIVELOCK', expect.stringMatching(/:50$/) as string])
  // No schedule at random keeps to it for ten thousand steps.
  const found = await explore(scenario)
  expect([found.executions < 300, found.counterexample?.code, found.counterexample?.message]).toEqual([true, 'LIVELOCK', expect.stringMatching(/no end after [12]\d\d steps/) as string])
  expect((await replay(scenario, found.counterexample?.token ?? ''))?.code).toBe('LIVELOCK')
  expect((await replay(scenario, token))?.code).toBe('LIVELOCK')
})
