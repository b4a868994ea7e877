import { NotifiedMm, type IntervalNotifier, type IntervalNotifierOps, type NotifierSubscriptions } from '@mmu-notifier/core'
import type { Cell, Kernel, Memory, Mutex } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { explore, replay, type Scenario } from '../src/index.ts'

interface State {
  readonly notifiers: NotifierSubscriptions
  readonly notifier: IntervalNotifier
  readonly lock: Mutex
  /** The CPU page table: the frame of the one page, and that of the device. */
  readonly cpu: Cell<number>
  readonly device: Cell<number>
}

/** A device fault against the invalidation that moves its page from frame 1 to frame 2. */
function collisionRetry(retries: boolean): Scenario<State> {
  return {
    async setup(kernel: Kernel) {
      const lock = kernel.mutex('driver.lock')
      const [cpu, device] = [kernel.cell('pte', 1), kernel.cell('device pte', 0)]
      const { notifiers } = new NotifiedMm(kernel, 'mm')
      const notifier = await notifiers.insert({ start: 0, last: 4095 }, {
        async invalidate(self, _range, seq) {
          await lock.lock()
          await self.setSeq(seq)
          await device.write(0)
          await lock.unlock()
          return true
        },
      })
      return { notifiers, notifier, lock, cpu, device }
    },
    tasks: {
      async fault({ notifier, lock, cpu, device }) {
        for (;;) {
          const seq = await notifier.readBegin()
          const frame = await cpu.read()
          await lock.lock()
          const stale = retries && (await notifier.readRetry(seq))
          if (!stale) await device.write(frame)
          await lock.unlock()
          if (!stale) return
        }
      },
      invalidate: ({ notifiers, cpu }) => notifiers.invalidate({ start: 0, end: 4096, event: 'clear', owner: undefined }, () => cpu.write(2)),
    },
    check({ device }) {
      if (device.value === 1) throw new Error('STALE: the device maps frame 1, which was freed')
    },
  }
}

test('collision-retry is right in every interleaving', async () => {
  const { verdict, by, traces, blocked, report } = await explore(collisionRetry(true), { strategy: 'dpor' })
  expect([verdict, by, blocked], report).toEqual(['exhausted', 'optimal DPOR', 0])
  expect(traces).toBeGreaterThan(5)
})

test('without readRetry the device maps a freed frame: found soon, with every seed', async () => {
  const needed: number[] = []
  for (let seed = 1; seed <= 40; seed++) {
    const { executions, counterexample } = await explore(collisionRetry(false), { seed })
    expect([seed, counterexample?.deviations.length]).toEqual([seed, expect.toSatisfy((switches: number) => switches <= 3)])
    needed.push(executions)
  }
  expect(needed.sort((a, b) => a - b)[20]).toBeLessThanOrEqual(1000)
  const { verdict, counterexample, report } = await explore(collisionRetry(false))
  expect(verdict).toBe('failed')
  expect(report).toContain('STALE')
  expect(counterexample?.deviations.length).toBeLessThanOrEqual(3)
  expect((await replay(collisionRetry(false), counterexample?.token ?? ''))?.message).toBe(counterexample?.message)
})

test('synchronize comes after the release, by whomever', async () => {
  const scenario: Scenario<{ readonly mm: NotifiedMm, readonly driver: Memory, readonly notifier: IntervalNotifier }> = {
    async setup(kernel: Kernel) {
      const mm = new NotifiedMm(kernel, 'mm')
      const driver = kernel.memory('the driver')
      const notifier = await mm.notifiers.insert({ start: 0, last: 4095 }, { invalidate: async () => true, release: () => { driver.use('release') } })
      await mm.mmgrab()
      return { mm, driver, notifier }
    },
    tasks: {
      async fini({ mm, driver, notifier }) {
        await notifier.removeDeferred()
        await mm.notifiers.synchronize()
        driver.free()
        await mm.mmdrop()
      },
      async other({ mm }) {
        const tree = await mm.notifiers.lockTree()
        await tree.unlock()
      },
    },
  }
  for (const strategy of ['dpor', 'random'] as const) {
    const { verdict, report } = await explore(scenario, { strategy, budget: 2000 })
    expect(verdict, report).toBe(strategy === 'dpor' ? 'exhausted' : 'sampled')
  }
})

test('two tasks may remove everything at once', async () => {
  const removeAll = ({ notifiers, ops }: { readonly notifiers: NotifierSubscriptions, readonly ops: IntervalNotifierOps }): Promise<void> => notifiers.removeAll(ops)
  const { verdict, report } = await explore({
    async setup(kernel: Kernel) {
      const { notifiers } = new NotifiedMm(kernel, 'mm')
      const ops = { invalidate: async () => true }
      await notifiers.insert({ start: 0, last: 4095 }, ops)
      return { notifiers, ops }
    },
    tasks: { one: removeAll, two: removeAll },
    check({ notifiers }) {
      expect(notifiers.outstanding).toBe(0)
    },
  }, { strategy: 'dpor' })
  expect(verdict, report).toBe('exhausted')
})
