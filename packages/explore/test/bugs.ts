import type { Cell, Kernel, Mutex, WaitQueue } from '@mmu-notifier/kernel'
import type { Scenario } from '../src/index.ts'
import { times } from './programs.ts'
import { item } from '../src/item.ts'

/** Programs with a known bug, after SCTBench (Thomson, Donaldson, Betts, PPoPP 2014), written anew from their descriptions. */
function build<S>(setup: (kernel: Kernel) => S, tasks: Record<string, (s: S) => Promise<void>>, check?: (s: S) => void): Scenario {
  return { setup, tasks, ...(check && { check }) } as unknown as Scenario
}
const named = <S>(name: string, n: number, body: (i: number) => (s: S) => Promise<void>): Record<string, (s: S) => Promise<void>> =>
  Object.fromEntries(times(n, (i) => [`${name}${i}`, body(i)]))
const fail = (what: string): never => {
  throw new Error(what)
}

interface Two { a: Cell<number>; b: Cell<number> }
const two = (kernel: Kernel): Two => ({ a: kernel.cell('a', 0), b: kernel.cell('b', 0) })

/** Setters write a, then b; a checker must not see one without the other. */
export const reorder = (setters: number, checkers: number): Scenario =>
  build(two, {
    ...named<Two>('set', setters, () => async ({ a, b }) => {
      await a.write(1)
      await b.write(-1)
    }),
    ...named<Two>('check', checkers, () => async ({ a, b }) => {
      // Each name is a read of its own, as in C.
      const fine = ((await a.read()) === 0 && (await b.read()) === 0) || ((await a.read()) === 1 && (await b.read()) === -1)
      if (!fine) fail('one without the other')
    }),
  })

interface Stages { m: Mutex; n: Mutex; x: Cell<number>; y: Cell<number> }
export const twostage = (writers: number, readers: number): Scenario =>
  build((kernel): Stages => ({ m: kernel.mutex('m'), n: kernel.mutex('n'), x: kernel.cell('x', 0), y: kernel.cell('y', 0) }), {
    ...named<Stages>('write', writers, () => async ({ m, n, x, y }) => {
      await m.lock()
      await x.write(1)
      await m.unlock()
      await n.lock()
      await y.write((await x.read()) + 1)
      await n.unlock()
    }),
    ...named<Stages>('read', readers, () => async ({ m, n, x, y }) => {
      await m.lock()
      const first = await x.read()
      await m.unlock()
      if (first === 0) return
      await n.lock()
      const second = await y.read()
      await n.unlock()
      if (second !== first + 1) fail(`x ${first}, y ${second}`)
    }),
  })

interface Locked { data: Mutex; other: Mutex; x: Cell<number> }
/** Some lock the data, others lock something else. */
export const wronglock = (right: number, wrong: number): Scenario =>
  build<Locked>((kernel) => ({ data: kernel.mutex('data'), other: kernel.mutex('other'), x: kernel.cell('x', 0) }), {
    ...named<Locked>('right', right, () => async ({ data, x }) => {
      await data.lock()
      const v = await x.read()
      await x.write((await x.read()) + 1)
      if ((await x.read()) !== v + 1) fail('lost')
      await data.unlock()
    }),
    ...named<Locked>('wrong', wrong, () => async ({ other, x }) => {
      await other.lock()
      await x.write((await x.read()) + 1)
      await other.unlock()
    }),
  })

interface Driver { pending: Cell<number>; stopping: Cell<number>; event: Cell<number>; stopped: Cell<number> }
export const bluetooth = (): Scenario =>
  build((kernel): Driver => ({ pending: kernel.cell('pendingIo', 1), stopping: kernel.cell('stoppingFlag', 0), event: kernel.cell('stoppingEvent', 0), stopped: kernel.cell('stopped', 0) }), {
    async stop({ pending, stopping, event, stopped }) {
      await stopping.write(1)
      if ((await pending.update((held) => held - 1)) === 1) await event.write(1)
      if ((await event.read()) === 1) await stopped.write(1)
    },
    async add({ pending, stopping, event, stopped }) {
      if ((await stopping.read()) === 0) {
        await pending.update((held) => held + 1)
        if ((await stopped.read()) === 1) fail('used after the stop')
      }
      if ((await pending.update((held) => held - 1)) === 1) await event.write(1)
    },
  })

export const lazy01 = (): Scenario =>
  build((kernel) => ({ m: kernel.mutex('m'), data: kernel.cell('data', 0) }), {
    ...named<{ m: Mutex; data: Cell<number> }>('add', 2, (i) => async ({ m, data }) => {
      await m.lock()
      await data.update((held) => held + 1 + i)
      await m.unlock()
    }),
    look: async ({ m, data }: { m: Mutex; data: Cell<number> }) => {
      await m.lock()
      if ((await data.read()) >= 3) fail('data is 3')
      await m.unlock()
    },
  })

interface Account { m: Mutex; balance: Cell<number>; deposited: Cell<number>; withdrawn: Cell<number> }
/** The bug is in the check: it holds the balance against the wrong sum. */
export const account = (): Scenario =>
  build((kernel): Account => ({ m: kernel.mutex('m'), balance: kernel.cell('balance', 1), deposited: kernel.cell('deposited', 0), withdrawn: kernel.cell('withdrawn', 0) }), {
    async check({ m, balance, deposited, withdrawn }) {
      await m.lock()
      if ((await deposited.read()) === 1 && (await withdrawn.read()) === 1 && (await balance.read()) !== 1 - 2 - 4) fail('wrong balance')
      await m.unlock()
    },
    async deposit({ m, balance, deposited }) {
      await m.lock()
      await balance.write((await balance.read()) + 2)
      await deposited.write(1)
      await m.unlock()
    },
    async withdraw({ m, balance, withdrawn }) {
      await m.lock()
      await balance.write((await balance.read()) - 4)
      await withdrawn.write(1)
      await m.unlock()
    },
  })

/** One of the two forgets the lock. */
export const lostUpdate = (): Scenario =>
  build(
    (kernel) => ({ m: kernel.mutex('m'), balance: kernel.cell('balance', 100) }),
    {
      async deposit({ m, balance }) {
        await m.lock()
        await balance.update((held) => held + 10)
        await m.unlock()
      },
      async withdraw({ balance }) {
        const v = await balance.read()
        await balance.write(v - 5)
      },
    },
    ({ balance }) => {
      if (balance.value !== 105) fail(`balance ${balance.value}`)
    },
  )

export const philosophers = (n: number): Scenario =>
  build((kernel) => ({ forks: times(n, (i) => kernel.mutex(`fork${i}`)) }), named<{ forks: Mutex[] }>('philosopher', n, (i) => async ({ forks }) => {
    const [left, right] = [item(forks, i), item(forks, (i + 1) % n)]
    await left.lock()
    await right.lock()
    await right.unlock()
    await left.unlock()
  }))

/** Looks first, sleeps afterwards. */
export const lostWakeup = (): Scenario =>
  build((kernel) => ({ ready: kernel.cell('ready', 0), queue: kernel.waitQueue('queue') }), {
    sleeper: ({ ready, queue }: { ready: Cell<number>; queue: WaitQueue }) => queue.until(() => ready.value === 1),
    waker: async ({ ready, queue }) => {
      await queue.wakeAll()
      await ready.write(1)
    },
  })

/** No bug: two tasks that wait for each other in turn. */
export const handshake = (): Scenario =>
  build((kernel) => ({ turn: kernel.cell('turn', 0), queue: kernel.waitQueue('queue') }), {
    ...named<{ turn: Cell<number>; queue: WaitQueue }>('side', 2, (i) => async ({ turn, queue }) => {
      for (let round = 0; round < 2; round++) {
        await queue.until(() => turn.value === i)
        await turn.write(1 - i)
        await queue.wakeAll()
      }
    }),
  })
