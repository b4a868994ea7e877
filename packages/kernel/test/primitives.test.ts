import { expect, test } from 'vitest'
import { createKernel, type Kernel } from '../src/index.ts'

/** Runs the bodies as tasks to their ends, in order of their names. */
async function run(kernel: Kernel, bodies: Record<string, () => Promise<void>>): Promise<void> {
  const tasks = Object.entries(bodies).map(([name, body]) => kernel.spawn(name, body))
  for (const task of tasks) await task.join()
}

test('mutex: the second waits for the first; trylock and a non-blockable context do not', async () => {
  const kernel = createKernel()
  const mutex = kernel.mutex('m')
  const log: string[] = []
  await run(kernel, {
    first: async () => {
      await mutex.lock()
      await kernel.condResched()
      log.push('first unlocks')
      await mutex.unlock()
    },
    second: async () => {
      log.push(`try ${String(await mutex.tryLock())}`, `nonblock ${String(await mutex.lockFor({ blockable: false }))}`)
      await mutex.lockFor({ blockable: true })
      log.push('second has it')
      await mutex.unlock()
    },
  })
  expect(log).toEqual(['try false', 'nonblock false', 'first unlocks', 'second has it'])
})

test('rwsem: readers share, a writer excludes', async () => {
  const kernel = createKernel()
  const sem = kernel.rwSemaphore('sem')
  const log: string[] = []
  await run(kernel, {
    reader: () => sem.read(async () => {
      log.push('reader in')
      await kernel.condResched()
      log.push('reader out')
    }),
    other: () => sem.read(async () => { log.push('other reader in') }),
    writer: () => sem.write(async () => { log.push('writer in') }),
  })
  expect(log).toEqual(['reader in', 'other reader in', 'reader out', 'writer in'])
})

test('rwsem: downgrade lets readers in, and no writer', async () => {
  const kernel = createKernel()
  const sem = kernel.rwSemaphore('sem')
  const log: string[] = []
  await run(kernel, {
    writer: async () => {
      await sem.lockWrite()
      await kernel.condResched()
      log.push('downgrade')
      await sem.downgrade()
      await kernel.condResched()
      log.push('unlock')
      await sem.unlockRead()
    },
    'other writer': () => sem.write(async () => { log.push('other writer in') }),
    reader: () => sem.read(async () => { log.push('reader in') }),
  })
  expect(log).toEqual(['downgrade', 'reader in', 'unlock', 'other writer in'])
})

test('wait queue: no wake-up, no second look at the predicate', async () => {
  const kernel = createKernel()
  const queue = kernel.waitQueue('q')
  let ready = false
  let looks = 0
  const sleeper = kernel.spawn('sleeper', () => queue.until(() => {
    looks++
    return ready
  }))
  await kernel.idle()
  ready = true
  await kernel.idle()
  expect([looks, sleeper.finished]).toEqual([1, false])
  await queue.wakeAll()
  await sleeper.join()
  expect(looks).toBe(2)
})

test('spinlock: a section waits for a holder and returns a value', async () => {
  const kernel = createKernel()
  const lock = kernel.spinLock('s')
  const log: string[] = []
  await run(kernel, {
    holder: async () => {
      await lock.lock()
      await kernel.cpuRelax()
      log.push('holder')
      await lock.unlock()
    },
    section: async () => { log.push(await lock.section(() => 'section')) },
  })
  expect(log).toEqual(['holder', 'section'])
})

test('a section unlocks when its body throws', async () => {
  const lock = createKernel().spinLock('s')
  await expect(lock.section(() => { throw new Error('inside') })).rejects.toThrow('inside')
  expect(await lock.section(() => 1)).toBe(1)
})

test('refcount: the last put is told; nothing leaves 0', async () => {
  const count = createKernel().refcount('object', 1)
  await count.get()
  expect([await count.put(), await count.put(), count.value]).toEqual([false, true, 0])
  expect(await count.getUnlessZero()).toBe(false)
  await expect(count.get()).rejects.toThrow('REFCOUNT  object: get at 0')
  await expect(count.put()).rejects.toThrow('REFCOUNT  object: put at 0')
})

test('cell: compare and exchange tells what was there', async () => {
  const cell = createKernel().cell('x', 1)
  expect([await cell.compareExchange(1, 2), await cell.compareExchange(1, 3), await cell.read()]).toEqual([1, 2, 2])
})

test('tracepoints call in order and stop after unsubscribing', () => {
  const kernel = createKernel()
  const log: string[] = []
  const off = kernel.on('app:event', (value) => { log.push(`first ${String(value)}`) })
  kernel.on('app:event', (value) => { log.push(`second ${String(value)}`) })
  kernel.trace('app:event', 1)
  off()
  kernel.trace('app:event', 2)
  expect(log).toEqual(['first 1', 'second 1', 'second 2'])
})
