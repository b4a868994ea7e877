import type { Cell, Kernel, Mutex } from '@mmu-notifier/kernel'
import { assume } from '../src/failure.ts'
import type { Scenario } from '../src/scenario.ts'
import { item } from '../src/item.ts'

/**
 * The programs that other checkers publish exact counts for (Nidhugg, GenMC, Concuerror), written anew from their descriptions. All shared variables
 * are cells that hold 0; a thread is a task.
 */
type Program = Scenario<never>
type Body<State> = (state: State) => Promise<void>

function program<State>(setup: (kernel: Kernel) => State | Promise<State>, ...bodies: readonly Body<State>[]): Program {
  return { setup, tasks: Object.fromEntries(bodies.map((body, i) => [`t${i}`, body])) } as unknown as Program
}

const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))
const cells = (kernel: Kernel, name: string, n: number): Cell<number>[] => times(n, (i) => kernel.cell(`${name}[${i}]`, 0))
const vars =
  <Name extends string>(...names: Name[]) =>
  (kernel: Kernel): Record<Name, Cell<number>> =>
    Object.fromEntries(names.map((name) => [name, kernel.cell(name, 0)])) as Record<Name, Cell<number>>
const add = (cell: Cell<number>, n = 1): Promise<number> => cell.update((held) => held + n)

export const readers = (n: number): Program =>
  program(vars('x'), ({ x }) => x.write(42), ...times(n, (): Body<{ x: Cell<number> }> => async ({ x }) => { await x.read() }))

export const lastzero = (n: number): Program =>
  program(
    (kernel) => cells(kernel, 'a', n + 1),
    async (a) => {
      let i = n
      while ((await (item(a, i)).read()) !== 0) i--
    },
    ...times(n, (k): Body<Cell<number>[]> => async (a) => (item(a, k + 1)).write((await (item(a, k)).read()) + 1)),
  )

export const indexer = (n: number): Program =>
  program(
    (kernel) => cells(kernel, 'table', 128),
    ...times(n, (tid): Body<Cell<number>[]> => async (table) => {
      for (let i = 0; i < 4; i++) {
        const w = i * 11 + tid
        let h = (w * 7) % 128
        while ((await (item(table, h)).compareExchange(0, w)) !== 0) h = (h + 1) % 128
      }
    }),
  )

export const filesystem = (n: number): Program =>
  program(
    (kernel) => ({
      inode: cells(kernel, 'inode', 32),
      busy: cells(kernel, 'busy', 26),
      li: times(32, (i) => kernel.mutex(`li${i}`)),
      lb: times(26, (i) => kernel.mutex(`lb${i}`)),
    }),
    ...times(n, (tid): Body<{ inode: Cell<number>[]; busy: Cell<number>[]; li: Mutex[]; lb: Mutex[] }> => async ({ inode, busy, li, lb }) => {
      const i = tid % 32
      await (item(li, i)).lock()
      if ((await (item(inode, i)).read()) === 0) {
        for (let b = (2 * i) % 26; ; b = (b + 1) % 26) {
          await (item(lb, b)).lock()
          const free = (await (item(busy, b)).read()) === 0
          if (free) {
            await (item(busy, b)).write(1)
            await (item(inode, i)).write(b + 1)
          }
          await (item(lb, b)).unlock()
          if (free) break
        }
      }
      await (item(li, i)).unlock()
    }),
  )

/** n tasks that each add 1 to every one of `names`. */
const adders = (n: number, ...names: string[]): Program =>
  program((kernel) => names.map((name) => kernel.cell(name, 0)), ...times(n, (): Body<Cell<number>[]> => async (all) => {
    for (const cell of all) await add(cell)
  }))
export const ainc = (n: number): Program => adders(n, 'x')
export const binc = (n: number): Program => adders(n, 'x', 'y')
export const cinc = (n: number): Program => adders(n, 'x', 'y', 'z')

const locked = (n: number, ...names: string[]): Program =>
  program(
    (kernel) => ({ m: kernel.mutex('m'), ...vars(...names)(kernel) }),
    ...times(n, (): Body<Record<string, unknown>> => async (state) => {
      const m = state['m'] as Mutex
      await m.lock()
      for (const name of names) {
        const cell = state[name] as Cell<number>
        await cell.write((await cell.read()) + 1)
      }
      await m.unlock()
    }),
  )
export const lockinc = (n: number): Program => locked(n, 'x')
export const lock2inc = (n: number): Program => locked(n, 'x', 'y')

export const inc = (n: number): Program =>
  program(vars('x'), ...times(n, (): Body<{ x: Cell<number> }> => async ({ x }) => x.write((await x.read()) + 1)))
export const cas = (n: number): Program =>
  program(vars('x'), ...times(n, (i): Body<{ x: Cell<number> }> => async ({ x }) => { await x.compareExchange(0, i + 1) }))
export const casw = (n: number): Program =>
  program(vars('x'), ...times(n, (i): Body<{ x: Cell<number> }> => async ({ x }) => {
    await x.compareExchange(0, 1)
    await x.write(i + 3)
  }))

export const dekker = (): Program =>
  program(
    vars('x', 'y', 'c'),
    async ({ x, y, c }) => {
      await y.write(1)
      if ((await x.read()) === 0) {
        await c.write(1)
        await c.read()
      }
    },
    async ({ x, y, c }) => {
      await x.write(1)
      if ((await y.read()) === 0) {
        await c.write(0)
        await c.read()
      }
    },
  )

export const mutexDeadlock = (n: number): Program =>
  program((kernel) => ({ m: kernel.mutex('m') }), ...times(n, (): Body<{ m: Mutex }> => ({ m }) => m.lock()))
export const mutexHard = (): Program =>
  program((kernel) => ({ m: kernel.mutex('m'), ...vars('x')(kernel) }), ...times(3, (tid): Body<{ m: Mutex; x: Cell<number> }> => async ({ m, x }) => {
    await m.lock()
    if ((await add(x)) === tid) await m.unlock()
  }))
export const cmpxhg = (): Program =>
  program(vars('x'), ...times(3, (t): Body<{ x: Cell<number> }> => async ({ x }) => { await x.compareExchange(t, t + 1) }))

export const poplExample = (): Program =>
  program(
    vars('x', 'y', 'z'),
    ({ x }) => x.write(1),
    ({ y }) => y.write(1),
    async ({ y, z }) => {
      if ((await y.read()) === 0) await z.write(1)
    },
    async ({ x, y, z }) => {
      if ((await z.read()) === 1 && (await y.read()) === 0) await x.write(2)
    },
  )

export const combinationLock = (): Program =>
  program(
    vars('x', 'y', 'z', 'w', 'v'),
    ({ z }) => z.write(1),
    async ({ x, y, w }) => {
      await x.write(1)
      if ((await y.read()) === 1) await w.write(1)
    },
    async ({ x, y, z, v }) => {
      if ((await x.read()) === 1) {
        await y.write(1)
        if ((await v.read()) === 1) await z.read()
      }
    },
    async ({ w, v }) => {
      if ((await w.read()) === 1) await v.write(1)
    },
  )

type Peterson = Record<'flag0' | 'flag1' | 'turn' | 'x', Cell<number>>
export const peterson = (): Program =>
  program(vars('flag0', 'flag1', 'turn', 'x'), ...times(2, (i): Body<Peterson> => async (s) => {
    const [own, other] = i === 0 ? [s.flag0, s.flag1] : [s.flag1, s.flag0]
    await own.write(1)
    await s.turn.write(1 - i)
    // The loop that spins while this is false, looked at only where it ends at once.
    assume((await other.read()) !== 1 || (await s.turn.read()) !== 1 - i)
    await s.x.write(i)
    await s.x.read()
    await own.write(0)
  }))

/** Lamport's second fast mutual exclusion algorithm (TOCS 1987). */
export const lamport = (n: number): Program =>
  program(
    (kernel) => ({ b: cells(kernel, 'b', n), ...vars('x', 'y')(kernel) }),
    ...times(n, (i): Body<{ b: Cell<number>[]; x: Cell<number>; y: Cell<number> }> => async ({ b, x, y }) => {
      const me = i + 1
      const enter = async (): Promise<boolean> => {
        await item(b, i).write(1)
        await x.write(me)
        if ((await y.read()) !== 0) {
          await item(b, i).write(0)
          assume((await y.read()) === 0)
          return false
        }
        await y.write(me)
        if ((await x.read()) === me) return true
        await item(b, i).write(0)
        for (const each of b) assume((await each.read()) === 0)
        if ((await y.read()) === me) return true
        assume((await y.read()) === 0)
        return false
      }
      while (!(await enter()));
      await y.write(0)
      await item(b, i).write(0)
    }),
  )

/** Szymanski's mutual exclusion algorithm for two tasks, each once. */
export const szymanski = (): Program =>
  program(vars('flag0', 'flag1', 'x'), ...times(2, (i): Body<Record<'flag0' | 'flag1' | 'x', Cell<number>>> => async (s) => {
    const [own, other] = i === 0 ? [s.flag0, s.flag1] : [s.flag1, s.flag0]
    await own.write(1)
    assume((await other.read()) < 3)
    await own.write(3)
    if ((await other.read()) === 1) {
      await own.write(2)
      assume((await other.read()) === 4)
    }
    await own.write(4)
    assume((await other.read()) < 2)
    await s.x.write(i)
    await s.x.read()
    await s.x.read()
    assume((await other.read()) < 2 || (await other.read()) > 3)
    await own.write(0)
  }))

/** n tasks that try the lock. @param gives who gets it gives it back */
const triers = (n: number, gives: boolean): Body<{ m: Mutex; x: Cell<number> }>[] =>
  times(n, () => async ({ m, x }) => {
    if (!(await m.tryLock())) return
    await add(x)
    if (gives) await m.unlock()
  })
const withLock = (kernel: Kernel): { m: Mutex; x: Cell<number> } => ({ m: kernel.mutex('m'), ...vars('x')(kernel) })
export const mutexTrylockDeadlock = (): Program => program(withLock, ...triers(3, false))
export const mutexTrylockUnlock = (): Program => program(withLock, ...triers(3, true))
export const mutexVsTrylock = (n: number): Program => program(withLock, ...triers(n, true), async ({ m, x }) => {
  await m.lock()
  await add(x)
  await m.unlock()
})

export { program, times, vars }
