import type { Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { explore, type Scenario } from '../src/index.ts'

/** An owner frees what another task uses, before or after a word that may tell it to. */
function handover(waits: boolean): Scenario<ReturnType<typeof setup>> {
  const setup = (kernel: Kernel) => ({ memory: kernel.memory('the buffer'), done: kernel.completion('done') })
  return {
    setup,
    tasks: {
      async user({ memory, done }) {
        memory.use('a copy')
        await done.complete()
      },
      async owner({ memory, done }) {
        if (waits) await done.wait()
        memory.free()
      },
    },
  }
}

test('a free that nothing orders against a use is a UAF in the first execution, whichever came first', async () => {
  const { verdict, executions, counterexample } = await explore(handover(false), { strategy: 'dpor' })
  expect([verdict, executions, counterexample?.code, counterexample?.message]).toEqual(['failed', 1, 'UAF', 'UAF  owner frees the buffer, and nothing orders that against its use by user'])
})

test('a race is told with the places of both accesses', async () => {
  const { report } = await explore(handover(false), { strategy: 'dpor' })
  const places = /^at memory\.test\.ts:(\d+) and memory\.test\.ts:(\d+)$/m.exec(report)?.slice(1).toSorted()
  expect(places, report).toEqual(['12', '17'])
})

test('one that waits for the user is none', async () => {
  expect((await explore(handover(true))).verdict).toBe('exhausted')
})
