import { expect, test } from 'vitest'
import { createKernel, isMmuNotifierError } from '../src/index.ts'

async function splat(body: () => Promise<unknown>): Promise<string> {
  const error: unknown = await body().then(() => undefined, (e: unknown) => e)
  if (!isMmuNotifierError(error, 'LOCKDEP')) throw new Error(`expected LOCKDEP, got ${String(error)}`)
  return error.message
}

test('an order cycle is reported although nothing deadlocked', async () => {
  const kernel = createKernel()
  const [a, b, c] = [kernel.mutex('a'), kernel.mutex('b'), kernel.mutex('c')]
  await a.with(() => b.with(async () => undefined))
  await b.with(() => c.with(async () => undefined))
  expect(await splat(() => c.with(() => a.with(async () => undefined)))).toBe(
    'LOCKDEP  task main takes a while it holds c, but the other order exists:\n' +
      '  a -> b (first by main)\n  b -> c (first by main)\n  c -> a (now, by main)\n  holds: c',
  )
})

test('order is a matter of classes, not of instances', async () => {
  const kernel = createKernel()
  await kernel.mutex('a').with(() => kernel.mutex('b').with(async () => undefined))
  expect(await splat(() => kernel.mutex('b').with(() => kernel.mutex('a').with(async () => undefined)))).toContain('a -> b')
})

test('a trylock orders nothing before itself', async () => {
  const kernel = createKernel()
  const [a, b] = [kernel.mutex('a'), kernel.mutex('b')]
  await a.with(() => b.with(async () => undefined))
  await b.with(async () => {
    expect(await a.tryLock()).toBe(true)
    await a.unlock()
  })
})

test('taking a lock again, or a second one of its class, is refused; nested is allowed', async () => {
  const kernel = createKernel()
  const a = kernel.mutex('a')
  expect(await splat(() => a.with(() => a.lock()))).toContain('takes a again, which it already holds for write')
  expect(await splat(() => a.with(() => kernel.mutex('a').lock()))).toContain('a second lock of class a')
  const [parent, child] = [kernel.rwSemaphore('mmap_lock'), kernel.rwSemaphore('mmap_lock')]
  await parent.write(async () => {
    await child.lockWrite({ nested: true })
    await child.unlockWrite()
  })
  expect(await splat(() => parent.read(() => parent.lockRead()))).toContain('already holds for read')
})

test('sleeping under a spinlock is refused, whatever the sleep is', async () => {
  const kernel = createKernel()
  const spin = kernel.spinLock('spin')
  const task = kernel.spawn('task', async () => undefined)
  await task.join()
  const sleeps: [string, () => Promise<unknown>][] = [
    ['lock m', () => kernel.mutex('m').lock()],
    ['lock sem', () => kernel.rwSemaphore('sem').lockRead()],
    ['wait q', () => kernel.waitQueue('q').until(() => true)],
    ['wait c', () => kernel.completion('c').wait()],
    ['flush wq', () => kernel.workQueue('wq').flush()],
    ['synchronize srcu', () => kernel.srcu('srcu').synchronize()],
    ['join task', () => task.join()],
    ['condResched', () => kernel.condResched()],
    ['external', () => kernel.external(Promise.resolve())],
  ]
  for (const [what, sleep] of sleeps) {
    await spin.lock()
    expect(await splat(sleep)).toContain(`sleeps in ${what} while it holds the spinlock spin`)
    await spin.unlock()
  }
})

test('unlocking what one does not hold is refused', async () => {
  const kernel = createKernel()
  expect(await splat(() => kernel.mutex('m').unlock())).toBe('LOCKDEP  task main unlocks m, which it does not hold')
  const m = kernel.mutex('m2')
  await m.lock()
  const stranger = kernel.spawn('stranger', () => m.unlock())
  expect(await splat(() => stranger.join())).toContain('task stranger unlocks m2')
})

test('a reader unlocks as a reader, a writer as a writer', async () => {
  const kernel = createKernel()
  const sem = kernel.rwSemaphore('sem')
  await sem.lockRead()
  expect(await splat(() => sem.unlockWrite())).toBe('LOCKDEP  task main unlocks sem for write, which it holds for read\n  holds: sem (read)')
  expect(await splat(() => sem.downgrade())).toContain('unlocks sem for write, which it holds for read')
  await sem.unlockRead()
  await sem.lockWrite()
  expect(await splat(() => sem.unlockRead())).toContain('unlocks sem for read, which it holds for write')
  await sem.downgrade()
  expect(await splat(() => sem.unlockWrite())).toContain('unlocks sem for write, which it holds for read')
  await sem.unlockRead()
  expect(await splat(() => sem.unlockRead())).toBe('LOCKDEP  task main unlocks sem, which it does not hold')
})

test('a lock map orders like a lock, and readers of it nest', async () => {
  const kernel = createKernel()
  const map = kernel.lockMap('invalidate_range_start')
  const lock = kernel.mutex('driver')
  map.acquire('read')
  map.acquire('read')
  await lock.with(async () => undefined)
  map.release()
  map.release()
  expect(await splat(() => lock.with(async () => { map.acquire('write') }))).toContain('invalidate_range_start -> driver')
  expect(await splat(async () => {
    map.acquire('read')
    map.acquire('write')
  })).toContain('takes invalidate_range_start again')
})

test('assertHeld names the lock', async () => {
  const m = createKernel().mutex('m')
  await m.with(async () => { m.assertHeld() })
  expect(await splat(async () => { m.assertHeld() })).toBe('LOCKDEP  task main must hold m here')
})

test('a lock that reclaim takes must not be held over an allocation that may reclaim', async () => {
  const kernel = createKernel()
  const [driver, other] = [kernel.mutex('driver'), kernel.mutex('other')]
  await kernel.reclaim(() => driver.with(() => kernel.alloc('GFP_KERNEL')))
  await other.with(() => kernel.alloc('GFP_KERNEL'))
  for (const gfp of ['GFP_NOWAIT', 'GFP_ATOMIC'] as const) await driver.with(() => kernel.alloc(gfp))
  for (const gfp of ['GFP_KERNEL', 'GFP_NOFS', 'GFP_NOIO'] as const) expect(await splat(() => driver.with(() => kernel.alloc(gfp)))).toContain('takes fs_reclaim while it holds driver, but the other order exists:\n  fs_reclaim -> driver (first by main)')
})

test('an allocation that may sleep is refused under a spinlock', async () => {
  const kernel = createKernel()
  const spin = kernel.spinLock('spin')
  await spin.lock()
  await kernel.alloc('GFP_ATOMIC')
  expect(await splat(() => kernel.alloc('GFP_KERNEL'))).toContain('sleeps in alloc GFP_KERNEL while it holds the spinlock spin')
})
