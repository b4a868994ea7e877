import type { Cell, Kernel, SpinLock } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { explore } from '../src/index.ts'

const STEPS = 6

test('a reduction that learns late what sections touch begins again a few times, and not each time', async () => {
  const { verdict, traces, executions } = await explore(
    {
      setup: (kernel) => ({ lock: kernel.spinLock('lock'), at: kernel.cell('at', 0), cells: Array.from({ length: STEPS + 1 }, (_, i) => kernel.cell(`cell ${i}`, 0)) }),
      tasks: {
        async mover({ lock, at }) {
          for (let i = 0; i < STEPS; i++) await lock.section(() => { at.value++ })
        },
        async counter({ lock, at, cells }) {
          for (let i = 0; i < STEPS; i++) await lock.section(() => { (cells[at.value] ?? expect.unreachable()).value++ })
        },
      },
    },
    { strategy: 'dpor' },
  )
  expect({ verdict, traces }).toEqual({ verdict: 'exhausted', traces: 924 }) // 12 over 6
  expect(executions).toBeLessThan(2.5 * 924)
})

interface Own {
  looked: Cell<number>
  lock: SpinLock
}

test('what one search has learned of objects that tasks make is told of the same objects to another', async () => {
  const names = ['one', 'two', 'three']
  const task = (name: string) => async (state: ReadonlyMap<string, Own>, kernel: Kernel) => {
    const { looked, lock } = state.get(name) ?? expect.unreachable()
    for (let i = 0; i < 8; i++) await looked.read()
    const own = kernel.cell(`own of ${name}`, 0)
    await lock.section(() => { own.value++ })
  }
  const { by, traces } = await explore({
    setup: (kernel) => new Map(names.map((name) => [name, { looked: kernel.cell(name, 0), lock: kernel.spinLock(name) }])),
    tasks: Object.fromEntries(names.map((name) => [name, task(name)])),
  })
  expect([by, traces]).toEqual(['optimal DPOR', 1])
})
