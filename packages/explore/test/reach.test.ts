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
