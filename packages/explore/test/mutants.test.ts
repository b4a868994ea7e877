import { afterEach, expect, test, vi } from 'vitest'
import type * as Access from '../src/access.ts'
import type * as DirectorModule from '../src/director.ts'
import type { Event } from '../src/event.ts'
import { predict } from '../src/event.ts'
import type * as TraceModule from '../src/trace.ts'
import { count } from './count.ts'
import { litmus } from './litmus.ts'
import * as w from './waits.ts'

/** A checker that is broken in one place must not give the published counts. */
afterEach(() => {
  vi.doUnmock('../src/access.ts')
  vi.doUnmock('../src/director.ts')
  vi.doUnmock('../src/trace.ts')
  vi.resetModules()
})

interface Fresh {
  readonly count: (typeof import('./count.ts'))['count']
  readonly p: typeof import('./programs.ts')
  readonly bugs: typeof import('./bugs.ts')
  readonly w: typeof import('./waits.ts')
}

async function fresh(): Promise<Fresh> {
  const [{ count }, p, bugs, w] = await Promise.all([import('./count.ts'), import('./programs.ts'), import('./bugs.ts'), import('./waits.ts')])
  return { count, p, bugs, w }
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

const POSSIBLE: readonly (readonly [name: string, possible: Event['possible']])[] = [
  ['every state does', () => true],
  ['nobody says which does', undefined],
  ['no state does', () => false],
]

test.each(POSSIBLE)('of what waits for a state of its target: %s', async (_name, possible) => {
  vi.resetModules()
  vi.doMock('../src/trace.ts', async (original) => {
    const { Trace } = await original<typeof TraceModule>()
    const broken = (event: Event): Event => (event.possible ? { ...event, possible } : event)
    return {
      Trace: class extends Trace {
        override append(event: Event, races?: number[]): void {
          super.append(broken(event), races)
        }

        override racesOf(event: Event): number[] {
          return super.racesOf(broken(event))
        }
      },
    }
  })
  const { count, w }: Fresh = await fresh()
  const counts: unknown[] = []
  for (const program of [w.completion(3, 3), w.seqCount(2), w.synchronize(2, 1)]) {
    const { executions, blocked, traces } = await count(program, 'optimal', { limit: 500 })
    counts.push([executions, blocked, traces.size])
  }
  expect(counts).not.toEqual([[30, 0, 30], [16, 0, 16], [9, 0, 9]])
})

test('a step goes in the first of its ways', async () => {
  vi.resetModules()
  vi.doMock('../src/director.ts', async (original) => {
    const director = await original<typeof DirectorModule>()
    return { ...director, choicesOf: director.enabledOf }
  })
  const { count, w } = await fresh()
  for (const algorithm of ['all', 'sleep', 'optimal'] as const) expect((await count(w.wakeOne(3), algorithm)).traces.size).toBeLessThan(13)
})

test('a reversed step goes in the first of its ways', async () => {
  const prediction = (event: Event, before: Event): Event => ({ ...predict(event, before), way: 0 })
  expect((await count(w.wakeOne(4), 'optimal', { prediction })).executions).toBeLessThan(33)
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
