import { createKernel, isMmuNotifierError, type Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { NotifiedMm, RULES, type NotifierSubscriptions, type IntervalNotifier, type IntervalNotifierOps, type InvalidateRange, type TreeView } from '../src/index.ts'

interface Rig {
  kernel: Kernel
  mm: NotifiedMm
  notifiers: NotifierSubscriptions
  log: string[]
  ops: IntervalNotifierOps
}

/** An address space with one driver that writes down what happens to it. */
function rig(callback: (notifier: IntervalNotifier, range: InvalidateRange, seq: number) => Promise<boolean | undefined> = async () => true): Rig {
  const kernel = createKernel()
  const mm = new NotifiedMm(kernel, 'mm')
  const log: string[] = []
  return {
    kernel, mm, log,
    notifiers: mm.notifiers,
    ops: {
      async invalidate(notifier, range, seq) {
        log.push(`${range.event} ${notifier.start}..${notifier.last} within ${JSON.stringify(range.within(notifier))} seq ${seq}`)
        await notifier.setSeq(seq)
        return (await callback(notifier, range, seq)) ?? true
      },
      release(notifier) { log.push(`release ${notifier.start}..${notifier.last}`) },
    },
  }
}

async function code(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => undefined, (e: unknown) => e)
  return isMmuNotifierError(error) ? `${error.code}: ${error.message}` : String(error)
}

test('a callback gets the part of the range that its interval has', async () => {
  const { notifiers, ops, log } = rig()
  await notifiers.insert({ start: 100, last: 199 }, ops)
  await notifiers.insert({ start: 150, last: 150 }, ops)
  await notifiers.insert({ start: 300, last: 399 }, ops)
  await notifiers.invalidate({ start: 50, end: 151, event: 'clear' }, async () => { log.push('body') })
  await notifiers.invalidate({ start: 200, end: 300, event: 'unmap' }, async () => { log.push('between two intervals') })
  expect(log).toEqual([
    'clear 100..199 within {"start":100,"last":150} seq 3',
    'clear 150..150 within {"start":150,"last":150} seq 3',
    'body',
    'between two intervals',
  ])
})

test('read, collide, wait, read again', async () => {
  const { kernel, notifiers, ops, log } = rig()
  const notifier = await notifiers.insert({ start: 0, last: 4095 }, ops)
  const seq = await notifier.readBegin()
  const range = await notifiers.invalidateRangeStart({ start: 0, end: 4096, event: 'clear' })
  expect(await notifier.readRetry(seq)).toBe(true)
  const reader = kernel.spawn('reader', async () => {
    const again = await notifier.readBegin()
    log.push(`reader goes on, retry ${String(await notifier.readRetry(again))}`)
  })
  await kernel.idle()
  log.push('end')
  await notifiers.invalidateRangeEnd(range)
  await reader.join()
  expect(log.slice(1)).toEqual(['end', 'reader goes on, retry false'])
})

test('find, get, unlock, put: the thread’s life of an interval', async () => {
  const { notifiers, ops, log } = rig()
  const owner = await notifiers.insert({ start: 0, last: 4095 }, ops)
  const tree = await notifiers.lockTree()
  const found = await tree.find(ops, 0, 0)
  expect(found).toBe(owner)
  await found?.get()
  await tree.unlock()
  await owner.removeDeferred()
  const seq = await owner.readBegin()
  expect([log, owner.dying, seq < 0, await owner.readRetry(seq)]).toEqual([[], true, true, true])
  await found?.put()
  expect([log, notifiers.outstanding]).toEqual([['release 0..4095'], 0])
})

test('a put under the frozen tree returns at once; release comes at the thaw, once, after the waiters are awake', async () => {
  const { kernel, notifiers, ops, log } = rig()
  const notifier = await notifiers.insert({ start: 0, last: 4095 }, ops)
  const other = await notifiers.insert({ start: 8192, last: 9000 }, ops)
  const remover = kernel.spawn('remover', async () => {
    await other.remove()
    log.push('removed')
  })
  const tree = await notifiers.lockTree()
  await kernel.idle()
  await notifier.put()
  log.push('put returned')
  expect([notifiers.deferred, notifier.dying]).toEqual([2, true])
  await tree.unlock()
  await remover.join()
  expect(log).toEqual(['put returned', 'release 0..4095', 'removed'])
  expect([notifiers.deferred, notifiers.outstanding, notifiers.active, notifiers.seq]).toEqual([0, 0, 0, 4])
})

test('munmap punches a hole by batch from the callback', async () => {
  const { notifiers, ops, log } = rig(async (notifier, range) => {
    if (range.event !== 'unmap') return
    const insert = notifier.without(range).map((interval) => ({ interval, ops }))
    await range.tree.batch({ remove: [notifier], insert })
    return true
  })
  await notifiers.insert({ start: 0, last: 99 }, ops)
  await notifiers.invalidate({ start: 40, end: 60, event: 'unmap' }, async () => { log.push('body') })
  await notifiers.invalidate({ start: 0, end: 100, event: 'clear' }, async () => undefined)
  expect(log.map((line) => line.replace(/ within.*/, ''))).toEqual(['unmap 0..99', 'body', 'release 0..99', 'clear 0..39', 'clear 60..99'])
  await notifiers.removeAll(ops)
  await notifiers.synchronize()
  expect([log.slice(-2), notifiers.outstanding]).toEqual([['release 0..39', 'release 60..99'], 0])
})

test('insertAndGet: the caller still has the notifier when a callback has removed it', async () => {
  const { notifiers, ops, log } = rig()
  const notifier = await notifiers.insertAndGet({ start: 0, last: 4095 }, ops)
  await notifiers.removeAll(ops)
  expect([notifier.dying, notifier.references, log]).toEqual([true, 1, []])
  await notifier.put()
  expect(log).toEqual(['release 0..4095'])
})

test('readBegin waits for an insert that is deferred', async () => {
  const { kernel, notifiers, ops, log } = rig()
  const tree = await notifiers.lockTree()
  const reader = kernel.spawn('reader', async () => {
    const notifier = await notifiers.insert({ start: 0, last: 4095 }, ops)
    log.push('inserted')
    await notifier.readBegin()
    log.push('read')
    await notifier.put()
  })
  await kernel.idle()
  log.push('unlock')
  await tree.unlock()
  await reader.join()
  expect(log).toEqual(['inserted', 'unlock', 'read', 'release 0..4095'])
})

test('synchronize waits for the release of everything that was removed before', async () => {
  const { kernel, notifiers, ops, log } = rig()
  const notifier = await notifiers.insert({ start: 0, last: 4095 }, ops)
  await notifier.get()
  await notifiers.removeAll(ops)
  const barrier = kernel.spawn('unload', async () => {
    await notifiers.synchronize()
    log.push('ops may go')
  })
  await kernel.idle()
  log.push('last put')
  await notifier.put()
  await barrier.join()
  expect(log).toEqual(['last put', 'release 0..4095', 'ops may go'])
})

test('a non-blockable invalidation that is refused leaves everything as it was', async () => {
  const { notifiers, ops } = rig(async (notifier, range) => range.blockable || notifier.start === 0)
  await notifiers.insert({ start: 0, last: 9 }, ops)
  await notifiers.insert({ start: 5, last: 9 }, ops)
  expect(await notifiers.invalidateRangeStartNonblock({ start: 0, end: 10, event: 'clear' })).toBe('EAGAIN')
  expect([notifiers.active, notifiers.seq]).toEqual([0, 4])
  const range = await notifiers.invalidateRangeStartNonblock({ start: 0, end: 5, event: 'clear' })
  if (range !== 'EAGAIN') await notifiers.invalidateRangeEnd(range)
  expect([typeof range, notifiers.active, notifiers.seq]).toEqual(['object', 0, 6])
})

test('a callback that refuses what may block, or throws, does not leave the range open', async () => {
  const refusing = rig(async () => false)
  await refusing.notifiers.insert({ start: 0, last: 9 }, refusing.ops)
  expect(await code(refusing.notifiers.invalidateRangeStart({ start: 0, end: 9, event: 'clear' }))).toContain('WARN: WARN  a callback refused the blockable clear of [0x0, 0x9)')
  const throwing = rig(() => Promise.reject(new Error('driver bug')))
  await throwing.notifiers.insert({ start: 0, last: 9 }, throwing.ops)
  await expect(throwing.notifiers.invalidate({ start: 0, end: 9, event: 'clear' }, async () => undefined)).rejects.toThrow('driver bug')
  for (const { notifiers } of [refusing, throwing]) expect([notifiers.active, notifiers.seq]).toEqual([0, 4])
})

test('an errno that a callback throws is not the errno of the invalidator', async () => {
  const { notifiers, ops } = rig(async (notifier) => {
    await notifier.removeDeferred()
    await notifier.removeDeferred()
    return true
  })
  await notifiers.insert({ start: 0, last: 9 }, ops)
  expect(await code(notifiers.invalidate({ start: 0, end: 9, event: 'unmap' }, async () => undefined))).toBe('WARN: WARN  a callback of unmap threw the notifier [0x0, 0x9] is being removed already')
})

test('the end of an address space: one release event, then no more inserts; what is registered stays until its owner removes it', async () => {
  const { notifiers, ops, log, mm } = rig()
  const notifier = await notifiers.insert({ start: 0, last: 4095 }, ops)
  await mm.mmput()
  expect(log).toEqual(['release 0..4095 within {"start":0,"last":4095} seq 3'])
  expect(await code(notifiers.insert({ start: 0, last: 1 }, ops))).toBe('EINVAL: mm has no users left: it takes no more intervals')
  await notifier.remove()
  expect(notifiers.outstanding).toBe(0)
})

test.each([[5, 4], [-1, 4], [0, 2 ** 53], [0.5, 4], [Number.NaN, 4]])('[%d, %d] is no interval', async (start, last) => {
  const { notifiers, ops } = rig()
  await expect(notifiers.insert({ start, last }, ops)).rejects.toThrow(RangeError)
  expect(notifiers.outstanding).toBe(0)
})

test.each([[4, 4], [5, 4], [-4, 4]])('[%d, %d) is no range', async (start, end) => {
  await expect(rig().notifiers.invalidateRangeStart({ start, end, event: 'clear' })).rejects.toThrow(RangeError)
})

test('the top of the address space can be covered', async () => {
  const { notifiers, ops, log } = rig()
  await notifiers.insert({ start: 0, last: Number.MAX_SAFE_INTEGER }, ops)
  await notifiers.invalidate({ start: Number.MAX_SAFE_INTEGER - 1, end: Number.MAX_SAFE_INTEGER, event: 'clear' }, async () => undefined)
  expect(log).toHaveLength(1)
})

test('what the thread wants asserted', async () => {
  const { kernel, notifiers, ops } = rig()
  const tree = await notifiers.lockTree()
  const notifier = await notifiers.insert({ start: 0, last: 4095 }, ops)
  expect(await code(notifier.readBegin())).toContain(`LOCKDEP: LOCKDEP  task main calls readBegin under the tree lock
  rule: ${RULES.wait}
  chain: mmu_notifier_invalidate_range_start (read) -> readBegin`)
  expect(await code(notifier.remove())).toContain('calls remove under the tree lock')
  expect(await code(notifiers.synchronize())).toContain('calls synchronize under the tree lock')
  const stranger = kernel.spawn('stranger', async () => { await tree.find(ops, 0, 0) })
  expect(await code(stranger.join())).toContain('task stranger calls find on a tree lock of mm that task main holds')
  const elsewhere = new NotifiedMm(kernel, 'other mm').notifiers
  const foreign = await elsewhere.insert({ start: 0, last: 1 }, ops)
  expect(await code(tree.batch({ remove: [foreign] }))).toContain('calls batch under the tree lock of mm for a notifier of other mm')
  await tree.unlock()
  for (const use of [() => tree.find(ops, 0, 0), () => tree.batch({}), () => tree.unlock()]) {
    expect(await code(use())).toContain('on a tree lock of mm that has ended')
  }
})

test('a callback may not wait for what waits for it, nor keep its tree', async () => {
  const waits: ((n: IntervalNotifier, all: NotifierSubscriptions) => Promise<unknown>)[] = [
    (n) => n.readBegin(),
    (n) => n.remove(),
    (_, all) => all.synchronize(),
  ]
  for (const wait of waits) {
    const r = rig(async (notifier) => {
      await wait(notifier, r.notifiers)
      return true
    })
    await r.notifiers.insert({ start: 0, last: 9 }, r.ops)
    expect(await code(r.notifiers.invalidate({ start: 0, end: 9, event: 'clear' }, async () => undefined))).toMatch(/task main calls \w+ in a callback\n {2}rule: nobody waits .*\n {2}chain: mmu_notifier_invalidate_range_start -> \w+/)
  }
  let kept: TreeView | undefined
  const { notifiers, ops } = rig(async (_, range) => {
    kept = range.tree
    return true
  })
  await notifiers.insert({ start: 0, last: 9 }, ops)
  await notifiers.invalidate({ start: 0, end: 9, event: 'clear' }, async () => undefined)
  expect(await code(kept?.find(ops, 0, 0) ?? Promise.resolve())).toContain('has ended')
})

test('lockdep knows the deadlock of waiting under the user lock before it happens', async () => {
  const lock = { current: createKernel().mutex('unused') }
  const { kernel, notifiers, ops } = rig(async () => lock.current.with(async () => true))
  lock.current = kernel.mutex('driver.lock')
  const notifier = await notifiers.insert({ start: 0, last: 9 }, ops)
  await notifiers.invalidate({ start: 0, end: 9, event: 'clear' }, async () => undefined)
  expect(await code(lock.current.with(() => notifier.readBegin()))).toContain('mmu_notifier_invalidate_range_start -> driver.lock')
})

test('free right after an asynchronous removal is a use after free that names the interval', async () => {
  const { notifiers, ops } = rig()
  const notifier = await notifiers.insert({ start: 0x1000, last: 0x1fff }, ops)
  const tree = await notifiers.lockTree()
  await notifier.put()
  notifier.free()
  expect(await code(tree.unlock())).toBe('UAF: UAF  task main uses the notifier [0x1000, 0x1fff] of mm in the end of the last invalidation, which main has freed')
})

test('a notifier is not to be used after its release', async () => {
  const { notifiers, ops } = rig()
  const notifier = await notifiers.insert({ start: 0, last: 9 }, ops)
  await notifier.put()
  for (const use of [() => notifier.readBegin(), () => notifier.readRetry(1), () => notifier.setSeq(3), () => notifier.get(), () => notifier.put(), () => notifier.removeDeferred(), () => notifier.remove()]) {
    expect(await code(use())).toContain('UAF')
  }
})

test('ending an invalidation twice is refused', async () => {
  const { notifiers } = rig()
  const range = await notifiers.invalidateRangeStart({ start: 0, end: 1, event: 'clear' })
  await notifiers.invalidateRangeEnd(range)
  await expect(notifiers.invalidateRangeEnd(range)).rejects.toThrow('has ended already')
})

test('the data of a notifier has the type of its ops', async () => {
  const { notifiers } = rig()
  const seen: number[] = []
  const ops: IntervalNotifierOps<{ pages: number }> = {
    async invalidate(notifier) {
      seen.push(notifier.data.pages)
      return true
    },
  }
  await notifiers.insert({ start: 0, last: 4095 }, ops, { pages: 1 })
  const tree = await notifiers.lockTree()
  seen.push((await tree.find(ops, 0, 0))?.data.pages ?? 0)
  await tree.unlock()
  await notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, async () => undefined)
  expect(seen).toEqual([1, 1])
})

test('remove of what is dying is refused; after remove the notifier is dying, and has no reference to put', async () => {
  const { notifiers, ops, log } = rig()
  const going = await notifiers.insertAndGet({ start: 0, last: 9 }, ops)
  await going.removeDeferred()
  expect(await code(going.remove())).toBe('ENOENT: the notifier [0x0, 0x9] is being removed already')
  await going.put()
  const removed = await notifiers.insert({ start: 0, last: 9 }, ops)
  await removed.remove()
  expect(removed.dying).toBe(true)
  expect(await code(removed.put())).toContain('more puts than references')
  expect(log).toEqual(['release 0..9'])
})

test('a deferred insert that nobody has found is gone and released at once; find sees its exact bounds', async () => {
  const { notifiers, ops, log } = rig()
  const tree = await notifiers.lockTree()
  const unseen = await notifiers.insert({ start: 0, last: 9 }, ops)
  await unseen.removeDeferred()
  expect([log, notifiers.outstanding, notifiers.deferred]).toEqual([['release 0..9'], 0, 0])
  const pending = await notifiers.insert({ start: 10, last: 19 }, ops)
  expect([await tree.find(ops, 19, 30), await tree.find(ops, 0, 10), await tree.find(ops, 20, 30), await tree.find(ops, 0, 9)]).toEqual([pending, pending, undefined, undefined])
  await tree.unlock()
})
