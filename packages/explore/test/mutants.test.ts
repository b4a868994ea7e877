import { afterEach, expect, test, vi } from 'vitest'
import type * as Access from '../src/access.ts'
import type { Event } from '../src/event.ts'
import type * as TraceModule from '../src/trace.ts'
import { count } from './count.ts'
import { litmus } from './litmus.ts'

/** A checker that is broken in one place must not give the published counts. */
afterEach(() => {
  vi.doUnmock('../src/access.ts')
  vi.doUnmock('../src/trace.ts')
  vi.resetModules()
})

async function fresh(): Promise<{ count: (typeof import('./count.ts'))['count']; p: typeof import('./programs.ts'); bugs: typeof import('./bugs.ts') }> {
  const [{ count }, p, bugs] = await Promise.all([import('./count.ts'), import('./programs.ts'), import('./bugs.ts')])
  return { count, p, bugs }
}

test('a read commutes with a later write', async () => {
  vi.resetModules()
  vi.doMock('../src/access.ts', async (original) => {
    const access = await original<typeof Access>()
    const relation: typeof access.relation = (earlier, later) => (earlier === access.MODE.read && later === access.MODE.write ? access.COMMUTE : access.relation(earlier, later))
    return { ...access, relation }
  })
  const { count, p } = await fresh()
  expect((await count(p.lastzero(5))).executions).not.toBe(64)
})

test('an acquisition does not race with the one before it', async () => {
  vi.resetModules()
  vi.doMock('../src/access.ts', async (original) => {
    const access = await original<typeof Access>()
    const { acquire } = access.MODE
    const relation: typeof access.relation = (earlier, later) => (earlier === acquire && later === acquire ? access.ORDER : access.relation(earlier, later))
    return { ...access, relation }
  })
  const { count, p } = await fresh()
  expect((await count(p.lockinc(3))).executions).not.toBe(6)
})

test('a wake-up has nothing to do with the wait that it ends', async () => {
  vi.resetModules()
  const { count: right, bugs: before } = await fresh()
  const expected = await right(before.handshake())
  vi.resetModules()
  vi.doMock('../src/trace.ts', async (original) => {
    const { Trace } = await original<typeof TraceModule>()
    return {
      Trace: class extends Trace {
        override append(event: Event, races?: number[]): void {
          const own = event.kind === 'wait' ? 1 : 0
          super.append({ ...event, after: [], objects: event.objects.slice(own), modes: event.modes.slice(own), before: event.before.slice(own) }, races)
        }
      },
    }
  })
  const { count, bugs } = await fresh()
  const broken = await count(bugs.handshake(), 'optimal', { limit: 500 })
  expect([broken.executions, broken.blocked, broken.traces.size, ...broken.failed.keys()]).not.toEqual([
    expected.executions,
    expected.blocked,
    expected.traces.size,
    ...expected.failed.keys(),
  ])
})

test.each([
  ['Wx1 | Rx | Cx1:2 Rx', 7],
  ['Wx1 | Cx1:2 | Rx Rx', 9],
  ['Cx0:1 | Rx | Cx1:2 Rx', 7],
] as const)('a reversed compare-exchange is taken to do what it did: %s', async (text, expected) => {
  expect((await count(litmus(text))).executions).toBe(expected)
  expect((await count(litmus(text), 'all')).traces.size).toBe(expected)
  expect((await count(litmus(text), 'optimal', { prediction: (event) => event })).executions).toBeLessThan(expected)
})
