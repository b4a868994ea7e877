import { expect, test } from 'vitest'
import { createKernel, isMmuNotifierError, type Kernel } from '../src/index.ts'
import type { KernelSrcu } from '../src/srcu.ts'

async function splat(body: () => Promise<unknown>): Promise<string> {
  const error: unknown = await body().then(() => undefined, (e: unknown) => e)
  if (!isMmuNotifierError(error, 'LOCKDEP')) throw new Error(`expected LOCKDEP, got ${String(error)}`)
  return error.message
}

/** Runs `body` as a task until it waits or ends. @returns whether it has ended */
async function ends(kernel: Kernel, body: () => Promise<void>): Promise<boolean> {
  const task = kernel.spawn('task', body)
  await kernel.idle()
  return task.finished
}

test('wakeOne wakes the one that has slept longest, and no other', async () => {
  const kernel = createKernel()
  const queue = kernel.waitQueue('q')
  const log: string[] = []
  let open = false
  for (const name of ['first', 'second']) {
    kernel.spawn(name, async () => {
      await queue.until(() => open)
      log.push(name)
    })
  }
  await kernel.idle()
  open = true
  await queue.wakeOne()
  await kernel.idle()
  expect(log).toEqual(['first'])
  await queue.wakeOne()
  await kernel.idle()
  expect(log).toEqual(['first', 'second'])
  await queue.wakeOne()
})

test('trylocks of spinlock and rwsem', async () => {
  const kernel = createKernel()
  const [spin, sem] = [kernel.spinLock('spin'), kernel.rwSemaphore('sem')]
  const tries = async (): Promise<boolean[]> => {
    const got: boolean[] = []
    kernel.spawn('other', async () => {
      got.push(await spin.tryLock(), await sem.tryLockRead())
      if (got[1]) await sem.unlockRead()
      got.push(await sem.tryLockWrite())
      if (got[2]) await sem.unlockWrite()
      if (got[0]) await spin.unlock()
    })
    await kernel.idle()
    return got
  }
  expect(await tries()).toEqual([true, true, true])
  await sem.read(async () => { expect(await tries()).toEqual([true, true, false]) })
  await sem.write(async () => { expect(await tries()).toEqual([true, false, false]) })
  await spin.lock()
  expect((await tries())[0]).toBe(false)
  expect(await splat(() => spin.tryLock())).toContain('takes spin again')
  await spin.unlock()
})

test('completion: each complete lets one go on, completeAll all', async () => {
  const kernel = createKernel()
  const completion = kernel.completion('done')
  expect([completion.done, await completion.tryWait()]).toEqual([false, false])
  await completion.complete()
  await completion.complete()
  expect([completion.done, await completion.tryWait()]).toEqual([true, true])
  await completion.wait()
  expect(completion.done).toBe(false)
  expect(await ends(kernel, () => completion.wait())).toBe(false)
  await completion.completeAll()
  await completion.wait()
  await completion.complete()
  expect([await completion.tryWait(), await completion.tryWait(), completion.done]).toEqual([true, true, true])
  await kernel.spinLock('spin').lock()
  expect(await splat(() => completion.wait())).toContain('sleeps in wait done while it holds the spinlock spin')
})

test('seqcount: a reader waits for the writer, and is told of one that came after', async () => {
  const kernel = createKernel()
  const seq = kernel.seqCount('seq')
  const before = await seq.readBegin()
  expect(await seq.readRetry(before)).toBe(false)
  await seq.writeBegin()
  expect(await seq.readRetry(before)).toBe(true)
  expect(await ends(kernel, async () => { await seq.readBegin() })).toBe(false)
  await seq.writeEnd()
  expect([await seq.readRetry(before), await seq.readRetry(await seq.readBegin())]).toEqual([true, false])
})

test('seqcount: writers are serialised, do not sleep, and do not read; nobody waits for one that waits for him', async () => {
  const kernel = createKernel()
  const [seq, lock] = [kernel.seqCount('seq'), kernel.spinLock('lock')]
  expect(await splat(() => seq.writeEnd())).toBe('LOCKDEP  task main unlocks seq, which it does not hold')
  await seq.writeBegin()
  kernel.spawn('other', () => seq.writeBegin())
  expect(await splat(() => kernel.idle())).toBe('LOCKDEP  task other begins to write under seq while another task does: nothing serialises the writers')
  expect(await splat(() => seq.writeBegin())).toContain('takes seq again')
  expect(await splat(() => seq.readBegin())).toContain('takes seq again')
  expect(await splat(() => kernel.mutex('m').lock())).toContain('sleeps in lock m')
  await lock.section(() => undefined)
  await seq.writeEnd()
  await lock.lock()
  expect(await splat(() => seq.readBegin())).toContain('seq -> lock (first by main)')
  await seq.writeBegin()
})

test('SRCU: synchronize waits for the sections that run, and not for those that begin', async () => {
  const kernel = createKernel()
  const srcu = kernel.srcu('srcu')
  const [first, second] = [kernel.completion('first'), kernel.completion('second')]
  kernel.spawn('reader', () => srcu.read(() => srcu.read(() => first.wait())))
  await kernel.idle()
  const synchronize = kernel.spawn('synchronize', () => srcu.synchronize())
  await kernel.idle()
  kernel.spawn('later', () => srcu.read(() => second.wait()))
  await kernel.idle()
  expect(synchronize.finished).toBe(false)
  await first.complete()
  await synchronize.join()
  expect(await ends(kernel, () => srcu.synchronize())).toBe(false)
  await second.complete()
  await kernel.idle()
  await srcu.synchronize()
  expect(kernel.tasks.length).toBe(1)
  // What is over is forgotten.
  expect((srcu as KernelSrcu).sections.size).toBe(0)
})

test('SRCU: who waits for itself, under a lock that a reader takes, or for what is not its own', async () => {
  const kernel = createKernel()
  const [srcu, other, m, spin] = [kernel.srcu('srcu'), kernel.srcu('other'), kernel.mutex('m'), kernel.spinLock('spin')]
  expect(await splat(() => srcu.read(() => srcu.synchronize()))).toContain('takes srcu again, which it already holds for read: it would wait for itself')
  await other.read(() => srcu.synchronize())
  // A reader waits for nobody.
  await m.with(() => srcu.read(async () => undefined))
  await srcu.read(() => m.with(async () => undefined))
  expect(await splat(() => m.with(() => srcu.synchronize()))).toContain('srcu -> m (first by main)')
  const section = await srcu.readLock()
  expect(await splat(() => kernel.spawn('stranger', () => srcu.readUnlock(section)).join())).toContain('task stranger unlocks srcu')
  expect(await splat(() => other.readUnlock(section))).toContain('ends a section of srcu as one of other')
  await srcu.readUnlock(section)
  expect(await splat(() => srcu.readUnlock(section))).toContain('unlocks srcu, which it does not hold')
  await spin.lock()
  expect(await splat(() => srcu.synchronize())).toContain('sleeps in synchronize srcu')
})

test('work queue: one item at a time, in order; flush waits for what was queued before', async () => {
  const kernel = createKernel()
  const queue = kernel.workQueue('wq')
  const log: string[] = []
  const item = (name: string) => async (): Promise<void> => {
    log.push(`${name} begins`)
    await kernel.condResched()
    log.push(`${name} ends`)
  }
  await queue.flush()
  await queue.queue(item('a'))
  await queue.queue(item('b'))
  expect(log).toEqual([])
  await queue.flush()
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  const last = kernel.completion('last')
  await queue.queue(async () => {
    await queue.queue(() => last.wait())
  })
  await queue.flush()
  expect(await ends(kernel, () => queue.flush())).toBe(false)
  await last.complete()
  await queue.flush()
  await kernel.idle()
  expect(kernel.tasks.map(({ name }) => name)).toEqual(['main'])
})

test('work queue: what an item throws is told, and the next one runs', async () => {
  const kernel = createKernel()
  const queue = kernel.workQueue('wq')
  let ran = false
  await queue.queue(() => Promise.reject(new Error('broken')))
  await queue.queue(async () => { ran = true })
  await queue.flush()
  expect(ran).toBe(true)
  await expect(kernel.idle()).rejects.toThrow('broken')
})

test('work queue: flush from an item of its own, under a lock that an item takes, under a spinlock', async () => {
  const kernel = createKernel()
  const [queue, m, spin] = [kernel.workQueue('wq'), kernel.mutex('m'), kernel.spinLock('spin')]
  await queue.queue(() => queue.flush())
  expect(await splat(() => kernel.idle())).toContain('takes wq again, which it already holds for write: it would wait for itself')
  await queue.queue(() => m.with(async () => undefined))
  await queue.flush()
  expect(await splat(() => m.with(() => queue.flush()))).toMatch(/wq -> m \(first by wq\)\n {2}m -> wq \(now, by main\)/)
  await spin.lock()
  await queue.queue(async () => undefined)
  expect(await splat(() => queue.flush())).toContain('sleeps in flush wq')
})
