import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers'
import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { explore, type Exploration } from '../src/index.ts'

/** The lines at fault end in `// here`. */
const SOURCE = readFileSync(import.meta.filename, 'utf8').split('\n')

/** Explores a task `suspect` beside an innocent one. */
const probe = (suspect: (kernel: Kernel) => Promise<void>): Promise<Exploration> =>
  explore({
    setup: (kernel) => ({ x: kernel.cell('x', 0), kernel }),
    tasks: {
      suspect: ({ kernel }) => suspect(kernel),
      innocent: async ({ x }) => {
        for (let i = 0; i < 4; i++) await x.write(i)
      },
    },
  })

const sleep = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1)) // here
let foreign: Promise<void> | undefined

const rows: [name: string, suspect: (kernel: Kernel) => Promise<void>, code: string][] = [
  ['a timer is awaited', () => sleep(), 'NONDETERMINISM'],
  ['a foreign promise is awaited', async () => { await (foreign ??= new Promise(() => undefined)) }, 'FOREIGN'], // here
  ['two operations are pending', async (kernel) => {
    const cell = kernel.cell('y', 0)
    void cell.write(1)
    await cell.write(2) // here
  }, 'MISSING_AWAIT'],
  ['a helper is never awaited', async (kernel) => {
    void kernel.cell('y', 0).write(1) // here
  }, 'MISSING_AWAIT'],
  ['a helper goes on later', async (kernel) => {
    const y = kernel.cell('y', 0)
    const helper = async (): Promise<void> => {
      for (let i = 0; i < 9; i++) await Promise.resolve() // here
      await y.write(1) // here
    }
    void helper()
    await y.write(2)
    await y.write(3)
    await y.write(4)
  }, 'MISSING_AWAIT'],
  ['the last operation is not awaited', async (kernel) => {
    const lock = kernel.mutex('m')
    await lock.lock()
    void lock.unlock() // here
  }, 'MISSING_AWAIT'],
  ['the body of with is not awaited', async (kernel) => {
    const y = kernel.cell('y', 0)
    await kernel.mutex('m').with(async () => { void y.write(1) }) // here
  }, 'MISSING_AWAIT'],
  ['a helper of a helper does not await', async (kernel) => {
    const y = kernel.cell('y', 0)
    const helper = async (): Promise<void> => { void y.write(1) } // here
    const caller = async (): Promise<void> => helper()
    await caller()
    await y.write(2) // here
  }, 'MISSING_AWAIT'],
  ['an operation of another kernel is awaited', async () => {
    await createKernel().cell('y', 0).write(1) // here
  }, 'FOREIGN'],
  ['a task sleeps under a spinlock', async (kernel) => {
    await kernel.spinLock('s').lock()
    await kernel.mutex('m').lock() // here
  }, 'LOCKDEP'],
  ['Math.random decides', async (kernel) => {
    await kernel.cell('y', 0).write(Math.random()) // here
  }, 'NONDETERMINISM'],
  ['the clock decides', async (kernel) => {
    await kernel.cell('y', 0).write(Date.now()) // here
  }, 'NONDETERMINISM'],
]

/** A line of the report, of this file, that ends in `// here`. */
function expectSite(report: string, name: string): void {
  const [, line] = /^at probes\.test\.ts:(\d+)$/m.exec(report) ?? []
  expect(line, `${name}: ${report}`).toBeDefined()
  expect(SOURCE[Number(line) - 1], `${name}, line ${line}`).toContain('// here')
}

test.each(rows)('%s: an error that names the task and the line', async (name, suspect, code) => {
  const { verdict, counterexample, report } = await probe(suspect)
  const expected = counterexample?.code === 'FOREIGN' && name === 'a helper goes on later' ? 'FOREIGN' : code // compiled, it is noticed where it awaits
  expect([verdict, counterexample?.code]).toEqual(['failed', expected])
  expect(report).toContain('suspect')
  expectSite(report, name)
})

test('what others await meanwhile is not taken for what a task awaits', async () => {
  let busy = true
  // Node's own, which no guard replaces: it stands for what a test runner does.
  const others = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) await Promise.resolve()
    if (busy) setImmediate(() => void others())
  }
  void others()
  try {
    const { report } = await probe(async () => { await new Promise(() => undefined) }) // here
    expectSite(report, 'a foreign promise')
  } finally {
    busy = false
  }
})

test('what an execution leaves behind is noticed', async () => {
  let runs = 0
  const { counterexample } = await explore({
    setup: (kernel) => kernel.cell('x', 0),
    tasks: {
      a: async (x) => {
        if (runs++ % 2 === 0) await x.read()
        else await x.write(1)
      },
      b: (x) => x.write(2),
    },
  })
  expect(counterexample?.code).toBe('NONDETERMINISM')
})

test('a setup that never ends is no hang', async () => {
  const { counterexample } = await explore({ setup: () => new Promise<never>(() => undefined), tasks: { a: async () => undefined } })
  expect(counterexample?.message).toMatch(/^FOREIGN {2}setup or check awaits/)
})
