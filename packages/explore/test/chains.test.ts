import type { Kernel, Refcount } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { explore } from '../src/index.ts'

/* What a promise is chained with is the task's, on promises and compiled. */

/** Fails when the other task has put the last reference. */
async function may(r: Refcount): Promise<void> {
  if (!(await r.getUnlessZero())) throw new Error('gone')
  await r.put()
}

function messageOf(error: unknown): unknown {
  return error instanceof Error ? error.message : error
}

const chains: [name: string, use: (r: Refcount, kernel: Kernel) => Promise<unknown>, outcomes: unknown[]][] = [
  ['catch', (r) => may(r).catch(messageOf), ['gone', undefined]],
  ['then', (r, kernel) => may(r).then(() => 1, () => kernel.cell('y', 0).write(2).then(() => 3)), [1, 3]],
  ['finally', async (r, kernel) => {
    const y = kernel.cell('y', 0)
    await may(r).finally(() => y.write(1)).catch(() => y.update((held) => held + 1))
    return y.read()
  }, [1, 2]],
  ['an operation', (_, kernel) => kernel.cell('y', 7).read().then((value) => value + 1), [8]],
  ['awaited twice', async (r) => {
    const once = may(r)
    const seen: unknown[] = []
    const caught = once.catch(() => { seen.push('caught') })
    await once.then(() => { seen.push('then') }, () => { seen.push('failed') })
    await caught
    return seen.join(' ')
  }, ['caught failed', 'then']],
  ['a handler that throws', (r) => may(r).then(() => { throw new Error('then') }).catch(messageOf), ['gone', 'then']],
]

test.each(chains)('%s', async (_, use, outcomes) => {
  const seen = new Set<unknown>()
  const { verdict, traces, report } = await explore({
    setup: (kernel) => ({ r: kernel.refcount('r', 1), kernel }),
    tasks: {
      user: async ({ r, kernel }) => { seen.add(await use(r, kernel)) },
      owner: ({ r }) => r.put().then(() => undefined),
    },
  })
  expect([verdict, [...seen].toSorted()], report).toEqual(['exhausted', outcomes])
  expect(traces).toBe(outcomes.length === 1 ? 1 : 3)
})

test('a chain that is not awaited is a missing await', async () => {
  const { counterexample } = await explore({
    setup: (kernel) => ({ r: kernel.refcount('r', 1), y: kernel.cell('y', 0) }),
    tasks: { user: async ({ r, y }) => { void may(r).then(() => y.write(1)) }, other: ({ y }) => y.write(2) },
  })
  expect(counterexample?.code).toBe('MISSING_AWAIT')
})
