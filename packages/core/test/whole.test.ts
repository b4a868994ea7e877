import { createKernel, isMmuNotifierError, type Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { NotifiedMm, RULES, type IntervalNotifier, type IntervalNotifierOps, type InvalidateRange, type NotifierSubscriptions, type TreeReadLock } from '../src/index.ts'

interface Rig {
  readonly kernel: Kernel
  readonly mm: NotifiedMm
  readonly notifiers: NotifierSubscriptions
  readonly log: string[]
}

function rig(): Rig {
  const kernel = createKernel()
  const mm = new NotifiedMm(kernel, 'mm')
  return { kernel, mm, notifiers: mm.notifiers, log: [] }
}

async function thrown(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => undefined, (e: unknown) => e)
  return isMmuNotifierError(error) ? error.message : String(error)
}

const nothing = async (): Promise<void> => undefined
const logging = (log: string[], name: string, more: Partial<IntervalNotifierOps> = {}): IntervalNotifierOps => ({
  async invalidate(notifier, range, seq) {
    log.push(`${name} ${range.event} [${notifier.start}, ${notifier.last}]`)
    await notifier.setSeq(seq)
    return true
  },
  release: ({ start, last }) => { log.push(`${name} released [${start}, ${last}]`) },
  ...more,
})

test('update: callbacks by the old interval until it is applied, find by the new one, the same notifier after', async () => {
  const { kernel, notifiers, log } = rig()
  const ops = logging(log, 'a')
  const x = await notifiers.insert({ start: 0, last: 9 }, ops)
  const tree = await notifiers.lockTree()
  await tree.update(x, { start: 5, last: 20 })
  expect([await tree.find(ops, 0, 4), await tree.find(ops, 20, 30)]).toEqual([undefined, x])
  expect(x.without({ start: 10, end: 12 })).toEqual([{ start: 5, last: 9 }, { start: 12, last: 20 }])
  await kernel.spawn('cpu', async () => {
    await notifiers.invalidate({ start: 15, end: 16, event: 'clear' }, nothing)
    await notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, nothing)
  }).join()
  await tree.update(x, { start: 5, last: 30 }) // the last of several wins
  await tree.unlock()
  await notifiers.invalidate({ start: 30, end: 31, event: 'clear' }, nothing)
  await notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, nothing)
  expect([log, x.start, x.last]).toEqual([['a clear [0, 9]', 'a clear [5, 30]'], 5, 30])
  const later = await notifiers.lockTree()
  expect([await later.find(ops, 0, 4), await later.find(ops, 30, 40)]).toEqual([undefined, x])
  await later.unlock()
})

test('update: readBegin waits until it is applied', async () => {
  const { kernel, notifiers, log } = rig()
  const x = await notifiers.insert({ start: 0, last: 9 }, logging(log, 'a'))
  const tree = await notifiers.lockTree()
  await tree.update(x, { start: 0, last: 20 })
  const reader = kernel.spawn('reader', async () => {
    await x.readBegin()
    log.push(`begins over [${x.start}, ${x.last}]`)
  })
  await kernel.idle()
  log.push('unlock')
  await tree.unlock()
  await reader.join()
  expect(log).toEqual(['unlock', 'begins over [0, 20]'])
})

test('update: of a pending insert in place; to nothing is a removal; of a dying one ENOENT; out of bounds nothing', async () => {
  const { notifiers, log } = rig()
  const ops = logging(log, 'a')
  const x = await notifiers.insert({ start: 0, last: 9 }, ops)
  const tree = await notifiers.lockTree()
  const [y] = await tree.batch({ insert: [{ interval: { start: 50, last: 59 }, ops }] })
  if (!y) throw new Error('no notifier')
  await tree.update(y, { start: 60, last: 69 })
  expect([y.start, notifiers.deferred]).toEqual([60, 1])
  await expect(tree.update(x, { start: -1, last: 5 })).rejects.toThrow(RangeError)
  await tree.update(x, { start: 10, last: 9 })
  expect([x.dying, await thrown(tree.update(x, { start: 0, last: 1 }))]).toEqual([true, 'the notifier [0x0, 0x9] is being removed already'])
  await expect(tree.batch({ remove: [y], update: [{ notifier: y, interval: { start: 0, last: 1 } }] })).rejects.toThrow('twice')
  await tree.unlock()
  expect(log).toEqual(['a released [0, 9]'])
})

test.each<[string, (tree: TreeReadLock, y: IntervalNotifier) => Promise<unknown>]>([
  ['removed', (tree, y) => tree.batch({ remove: [y] })],
  ['updated to nothing', (tree, y) => tree.update(y, { start: 1, last: 0 })],
])('what a batch inserts, nobody finds, and is %s in the same period is released at once', async (_, undo) => {
  const { notifiers, log } = rig()
  const ops = logging(log, 'a')
  await notifiers.insert({ start: 0, last: 9 }, ops)
  const tree = await notifiers.lockTree()
  const [y] = await tree.batch({ insert: [{ interval: { start: 50, last: 59 }, ops }] })
  if (!y) throw new Error('no notifier')
  await undo(tree, y)
  expect([log, notifiers.deferred]).toEqual([['a released [50, 59]'], 0])
  await tree.unlock()
  expect([log.length, notifiers.outstanding]).toEqual([1, 1])
})

test('update then remove in one period: it leaves', async () => {
  const { notifiers, log } = rig()
  const x = await notifiers.insert({ start: 0, last: 9 }, logging(log, 'a'))
  const tree = await notifiers.lockTree()
  await tree.update(x, { start: 0, last: 20 })
  await x.removeDeferred()
  await tree.unlock()
  await notifiers.invalidate({ start: 0, end: 30, event: 'clear' }, nothing)
  expect(log).toEqual(['a released [0, 9]'])
})

test('two passes: every device is started before one is waited for, and all before the mapping changes', async () => {
  const { notifiers, log } = rig()
  const ops = (name: string): IntervalNotifierOps => ({
    async invalidate(notifier, _range, seq) {
      await notifier.setSeq(seq)
      log.push(`start ${name}`)
      return async () => { log.push(`finish ${name}`) }
    },
  })
  for (const name of ['a', 'b']) await notifiers.insert({ start: 0, last: 9 }, ops(name))
  await notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, async () => { log.push('change') })
  expect(log).toEqual(['start a', 'start b', 'finish a', 'finish b', 'change'])
})

test('two passes: what was started is finished although a later one refuses; then nothing is open', async () => {
  const { notifiers, log } = rig()
  await notifiers.insert({ start: 0, last: 9 }, { invalidate: async () => async () => { log.push('finish a') } })
  await notifiers.insert({ start: 1, last: 9 }, { invalidate: async () => false })
  await notifiers.insert({ start: 2, last: 9 }, logging(log, 'c'))
  expect(await notifiers.invalidateRangeStartNonblock({ start: 0, end: 9, event: 'clear' })).toBe('EAGAIN')
  expect([log, notifiers.active, notifiers.seq]).toEqual([['finish a'], 0, 4])
})

test('two passes: what was started is finished although a later one throws', async () => {
  const { notifiers, log } = rig()
  await notifiers.insert({ start: 0, last: 9 }, { invalidate: async () => async () => { log.push('finish a') } })
  await notifiers.insert({ start: 1, last: 9 }, { invalidate: () => Promise.reject(new Error('b')) })
  await expect(notifiers.invalidateRangeStart({ start: 0, end: 9, event: 'clear' })).rejects.toThrow('b')
  expect([log, notifiers.active, notifiers.seq]).toEqual([['finish a'], 0, 4])
})

test('classic notifiers: after the intervals at the start and at the end, every event, no interval', async () => {
  const { notifiers, log } = rig()
  const x = await notifiers.insert({ start: 0, last: 9 }, logging(log, 'interval'))
  const classic = await notifiers.register({
    invalidateRangeStart: async ({ event }) => { log.push(`start ${event}`); return true },
    invalidateRangeEnd: async () => { log.push('end') },
    release: async () => { log.push('release') },
  })
  await notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, async () => {
    await x.removeDeferred()
    log.push('change')
  })
  await notifiers.invalidate({ start: 100, end: 101, event: 'unmap' }, nothing)
  await classic.unregister()
  await notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, nothing)
  expect(log).toEqual(['interval clear [0, 9]', 'start clear', 'change', 'interval released [0, 9]', 'end', 'start unmap', 'end', 'release'])
})

test('a classic notifier refuses: all hear of it, those with an end hear that, and the intervals go on as before (MAIN-1)', async () => {
  const { notifiers, log } = rig()
  const x = await notifiers.insert({ start: 0, last: 9 }, logging(log, 'interval'))
  await notifiers.register({ invalidateRangeStart: async () => { log.push('start a'); return true }, invalidateRangeEnd: async () => { log.push('end a') } })
  await notifiers.register({ invalidateRangeStart: async (range: InvalidateRange) => range.blockable })
  await notifiers.register({ invalidateRangeStart: async () => { log.push('start c'); return true } })
  expect(await notifiers.invalidateRangeStartNonblock({ start: 0, end: 1, event: 'clear' })).toBe('EAGAIN')
  expect([log, notifiers.active, notifiers.seq]).toEqual([['interval clear [0, 9]', 'start a', 'start c', 'end a'], 0, 4])
  await x.readBegin()
  await x.remove()
})

test('one that refuses and has an end is a bug of its driver; so is a refusal of a range that may block', async () => {
  const { notifiers } = rig()
  await notifiers.register({ invalidateRangeStart: async () => false, invalidateRangeEnd: nothing })
  expect(await thrown(notifiers.invalidateRangeStartNonblock({ start: 0, end: 1, event: 'clear' }))).toContain('must not have an invalidateRangeEnd')
  expect(await thrown(notifiers.invalidateRangeStart({ start: 0, end: 1, event: 'clear' }))).toContain('WARN  a notifier refused the blockable clear')
})

test('release in a worker: it may take the lock that put was called under', async () => {
  const { kernel, notifiers, log } = rig()
  const lock = kernel.mutex('driver.lock')
  const ops = logging(log, 'a', { releaseInWorker: true, release: () => lock.with(async () => { log.push(`released by ${kernel.current.name}`) }) })
  const x = await notifiers.insert({ start: 0, last: 9 }, ops)
  await lock.with(async () => {
    await x.put()
    log.push('put')
  })
  await notifiers.synchronize()
  expect([log, notifiers.outstanding]).toEqual([['put', 'released by mmu_notifier_release'], 0])
})

test('the end: release to all, then the teardown; who holds the object may still remove, and the last one frees it', async () => {
  const log: string[] = []
  const kernel = createKernel()
  const mm = new NotifiedMm(kernel, 'mm', { teardown: async () => { log.push('teardown') } })
  const x = await mm.notifiers.insert({ start: 0, last: 9 }, logging(log, 'a'))
  await mm.notifiers.register({ release: async () => { log.push('classic release') } })
  expect([await mm.mmget(), mm.users.value, mm.count.value]).toEqual([true, 2, 3])
  await mm.mmput()
  await mm.mmput()
  expect(log).toEqual(['a release [0, 9]', 'classic release', 'teardown'])
  expect([await mm.mmget(), await thrown(mm.notifiers.insert({ start: 0, last: 1 }, logging(log, 'b')))]).toEqual([false, 'mm has no users left: it takes no more intervals'])
  expect(mm.count.value).toBe(2)
  await x.remove()
  await mm.mmdrop()
  expect(await thrown(mm.notifiers.synchronize())).toBe('UAF  task main uses the subscriptions of mm in synchronize, which main has freed')
})

test('the first interval takes the mmap lock for write; with insertLocked the caller holds it', async () => {
  const { mm, notifiers, log } = rig()
  expect(await thrown(mm.mmapLock.read(() => notifiers.insert({ start: 0, last: 9 }, logging(log, 'a'))))).toContain('takes mmap_lock again')
  expect(await thrown(notifiers.insertLocked({ start: 0, last: 9 }, logging(log, 'a')))).toContain('must hold mmap_lock for write here')
  await mm.mmapLock.write(() => notifiers.insertLocked({ start: 0, last: 9 }, logging(log, 'a')))
  expect(notifiers.outstanding).toBe(1)
  // Known to lockdep each time, also when there is nothing left to register.
  expect(await thrown(mm.mmapLock.read(() => notifiers.insert({ start: 0, last: 9 }, logging(log, 'a'))))).toContain('takes mmap_lock again')
})

test('a batch in an address space that has had no interval needs registerIntervals first', async () => {
  const { notifiers, log } = rig()
  const ops = logging(log, 'a')
  const tree = await notifiers.lockTree()
  expect(await thrown(tree.batch({ insert: [{ interval: { start: 0, last: 1 }, ops }] }))).toContain('has had no interval yet')
  await tree.unlock()
  await notifiers.registerIntervals()
  const again = await notifiers.lockTree()
  await again.batch({ insert: [{ interval: { start: 0, last: 1 }, ops }] })
  await again.unlock()
  expect(notifiers.outstanding).toBe(1)
})

test.each([
  ['insert', 'create', (r: Rig) => r.notifiers.insert({ start: 0, last: 1 }, logging(r.log, 'b'))],
  ['mmput', 'mmput', ({ mm }: Rig) => mm.mmput()],
] as const)('%s in a callback names rule, chain and task', async (call, rule, act) => {
  const r = rig()
  await r.notifiers.insert({ start: 0, last: 9 }, { invalidate: async () => { await act(r); return true } })
  const message = await thrown(r.mm.mmapLock.write(() => r.notifiers.invalidate({ start: 0, end: 1, event: 'unmap' }, nothing)))
  expect(message).toBe(`LOCKDEP  task main calls ${call} in a callback\n  rule: ${RULES[rule]}\n  chain: mmap_lock -> mmu_notifier_invalidate_range_start -> ${call}`)
})

test('an allocation with direct reclaim in a callback, or under a lock that one takes', async () => {
  const { kernel, notifiers } = rig()
  const lock = kernel.mutex('driver.lock')
  let allocates = true
  await notifiers.insert({ start: 0, last: 9 }, {
    invalidate: () => lock.with(async () => {
      if (allocates) await kernel.alloc('GFP_KERNEL')
      return true
    }),
  })
  const run = (): Promise<void> => notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, nothing)
  expect(await thrown(run())).toContain('fs_reclaim -> mmu_notifier_invalidate_range_start')
  allocates = false
  await run()
  expect(await thrown(lock.with(() => kernel.alloc('GFP_KERNEL')))).toContain('mmu_notifier_invalidate_range_start -> driver.lock')
  await lock.with(() => kernel.alloc('GFP_NOWAIT'))
})
