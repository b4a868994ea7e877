import { expect, test } from 'vitest'
import { createKernel, isErrno, isMmuNotifierError, MmuNotifierError } from '../src/index.ts'

test('a task starts when the current one waits, and control comes back when it ends', async () => {
  const kernel = createKernel()
  const log: string[] = []
  const task = kernel.spawn('worker', async () => {
    log.push(kernel.current.name)
    const cell = kernel.cell('x', 1)
    await cell.write(2)
    log.push(`${kernel.current.name} read ${await cell.read()}`)
  })
  log.push(kernel.current.name)
  await task.join()
  log.push(kernel.current.name)
  expect(log).toEqual(['main', 'worker', 'worker read 2', 'main'])
  expect(kernel.tasks.map((t) => t.name)).toEqual(['main'])
})

test('current is right after every await, whoever ran in between', async () => {
  const kernel = createKernel({ preemption: { seed: 3, probability: 0.7 } })
  const cell = kernel.cell('x', 0)
  const wrong: string[] = []
  const tasks = ['a', 'b', 'c'].map((name) =>
    kernel.spawn(name, async () => {
      for (let i = 0; i < 20; i++) {
        await cell.write(i)
        if (kernel.current.name !== name) wrong.push(`${name} runs as ${kernel.current.name}`)
      }
    }),
  )
  for (const task of tasks) await task.join()
  expect(wrong).toEqual([])
})

test('a preempted run depends on its seed alone', async () => {
  const run = async (seed: number): Promise<string> => {
    const kernel = createKernel({ preemption: { seed, probability: 0.5 } })
    let order = ''
    const tasks = ['a', 'b'].map((name) =>
      kernel.spawn(name, async () => {
        for (let i = 0; i < 10; i++) {
          await kernel.cell('x', 0).read()
          order += name
        }
      }),
    )
    for (const task of tasks) await task.join()
    return order
  }
  expect(await run(1)).toBe(await run(1))
  expect(new Set(await Promise.all([1, 2, 3, 4].map(run))).size).toBeGreaterThan(1)
})

test('a lost update appears under preemption, and a mutex ends it', async () => {
  const count = async (locked: boolean): Promise<Set<number>> => {
    const ends = new Set<number>()
    for (let seed = 1; seed <= 40; seed++) {
      const kernel = createKernel({ preemption: { seed, probability: 0.5 } })
      const cell = kernel.cell('counter', 0)
      const mutex = kernel.mutex('counter.lock')
      const increment = async (): Promise<void> => cell.write((await cell.read()) + 1)
      const tasks = [1, 2].map((n) => kernel.spawn(`cpu${n}`, () => (locked ? mutex.with(increment) : increment())))
      for (const task of tasks) await task.join()
      ends.add(await cell.read())
    }
    return ends
  }
  expect(await count(false)).toEqual(new Set([1, 2]))
  expect(await count(true)).toEqual(new Set([2]))
})

test('join throws what the body threw; idle throws what nobody joined, once', async () => {
  const kernel = createKernel()
  const failing = kernel.spawn('failing', () => Promise.reject(new Error('boom')))
  await expect(failing.join()).rejects.toThrow('boom')
  kernel.spawn('unseen', () => Promise.reject(new Error('nobody looked')))
  await expect(kernel.idle()).rejects.toThrow('nobody looked')
  await kernel.idle()
})

test('when every task waits the run is dead, and the error says who waits for what', async () => {
  const kernel = createKernel()
  const a = kernel.mutex('a')
  const queue = kernel.waitQueue('never')
  const task = kernel.spawn('sleeper', async () => {
    await a.lock()
    await queue.until(() => false)
  })
  await expect(task.join()).rejects.toThrow(/^DEADLOCK {2}[^]*main waits: join sleeper[^]*sleeper waits: wait never; holds a/)
})

test('a run that is dead because a task threw tells what it threw', async () => {
  const kernel = createKernel()
  const queue = kernel.waitQueue('never')
  kernel.spawn('failing', () => Promise.reject(new Error('the cause')))
  await expect(queue.until(() => false)).rejects.toThrow('the cause')
})

test('a foreign promise goes through external, and other tasks run meanwhile', async () => {
  const kernel = createKernel()
  const log: string[] = []
  const task = kernel.spawn('worker', async () => { log.push('worker') })
  log.push(await kernel.external(Promise.resolve('value')))
  await task.join()
  expect(log).toEqual(['worker', 'value'])
  await expect(kernel.external(Promise.reject(new Error('disk')))).rejects.toThrow('disk')
})

test('when something came from outside does not show: it is taken when nothing else can run', async () => {
  const run = async (turns: number): Promise<string> => {
    const kernel = createKernel({ preemption: { seed: 5, probability: 0.5 } })
    let order = ''
    const tasks = ['a', 'b'].map((name) => kernel.spawn(name, async () => {
      for (let i = 0; i < 10; i++) {
        await kernel.cell('x', 0).read()
        order += name
      }
    }))
    let outside: Promise<unknown> = Promise.resolve()
    for (let i = 0; i < turns; i++) outside = outside.then(() => undefined)
    await kernel.external(outside)
    order += '!'
    for (const task of tasks) await task.join()
    return order
  }
  const orders = await Promise.all([0, 1, 5, 20, 100].map(run))
  expect(new Set(orders).size).toBe(1)
  expect(orders[0]).toMatch(/^[ab]{20}!$/)
})

test('a task that ends with a lock held is told so', async () => {
  const kernel = createKernel()
  const [mutex, sem] = [kernel.mutex('m'), kernel.rwSemaphore('sem')]
  const task = kernel.spawn('holder', async () => {
    await mutex.lock()
    await sem.lockRead()
  })
  const error: unknown = await task.join().catch((e: unknown) => e)
  expect(isMmuNotifierError(error, 'LEAK') && error.message).toBe('LEAK  task holder has ended and holds m, sem')
})

test('a preemption that is none is a RangeError', () => {
  for (const seed of [NaN, 1.5, Infinity]) expect(() => createKernel({ preemption: { seed, probability: 0.5 } })).toThrow(new RangeError(`preemption: expected an integer for a seed, got ${seed}`))
  for (const probability of [NaN, -0.1, 1.1]) expect(() => createKernel({ preemption: { seed: 1, probability } })).toThrow(new RangeError(`preemption: expected a probability from 0 to 1, got ${probability}`))
})

test('what is no promise leaves nothing behind in external', async () => {
  const kernel = createKernel()
  expect(() => kernel.external(3 as unknown as Promise<void>)).toThrow(TypeError)
  await expect(kernel.waitQueue('never').until(() => false)).rejects.toThrow('DEADLOCK')
})

test('a forgotten await is an error at the next operation', async () => {
  const kernel = createKernel()
  const mutex = kernel.mutex('m')
  const holder = kernel.spawn('holder', async () => {
    await mutex.lock()
    await kernel.condResched()
    await mutex.unlock()
  })
  await kernel.condResched()
  const pending = mutex.lock()
  await expect(kernel.cell('x', 0).read()).rejects.toThrow('task main starts read x while its lock m is pending: an await is missing')
  await pending
  await mutex.unlock()
  await holder.join()
})

test('an operation inside a section is refused', async () => {
  const kernel = createKernel()
  const cell = kernel.cell('x', 0)
  await expect(kernel.spinLock('s').section(() => { void cell.read() })).rejects.toThrow('task main starts read x inside section s, which is one step')
})

test('errors are told by their marker, not by their class', () => {
  const foreign = Object.assign(new Error('elsewhere'), { code: 'EAGAIN', [Symbol.for('@mmu-notifier/error')]: true })
  expect(isMmuNotifierError(foreign, 'EAGAIN')).toBe(true)
  expect(isMmuNotifierError(foreign, 'EFAULT')).toBe(false)
  expect(isMmuNotifierError(new Error('plain'))).toBe(false)
  expect([isErrno(foreign), isErrno(new MmuNotifierError('UAF', 'UAF')), isErrno(Object.assign(new Error('node’s own'), { code: 'ENOENT' }))]).toEqual([true, false, false])
})
