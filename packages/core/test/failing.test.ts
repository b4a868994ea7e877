import { createKernel, isMmuNotifierError, MmuNotifierError, type Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { Invariants, NotifiedMm, type IntervalNotifierOps, type InvalidateRange, type NotifierSubscriptions } from '../src/index.ts'

/* Callbacks that throw, or refuse what they must not: nobody else is to be left out for it, and nothing to stay open. */

interface Rig {
  readonly kernel: Kernel
  readonly mm: NotifiedMm
  readonly notifiers: NotifierSubscriptions
  readonly log: string[]
}

function rig(): Rig {
  const kernel = createKernel()
  const log: string[] = []
  const mm = new NotifiedMm(kernel, 'mm', { teardown: async () => { log.push('teardown') } })
  return { kernel, mm, notifiers: mm.notifiers, log }
}

async function thrown(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => undefined, (e: unknown) => e)
  return isMmuNotifierError(error) ? error.message : String(error)
}

const nothing = async (): Promise<void> => undefined
const CLEAR = { start: 0, end: 10, event: 'clear' } as const

type First = (range: InvalidateRange) => boolean | (() => Promise<void>)

/** Two of one driver; `first` is what the first one does beside its duty. */
async function two({ notifiers, log }: Rig, first: First, more: Partial<IntervalNotifierOps> = {}): Promise<IntervalNotifierOps> {
  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range, seq) {
      log.push(`${range.event} ${notifier.start}`)
      await notifier.setSeq(seq)
      return notifier.start === 0 ? first(range) : async () => { log.push(`finish ${notifier.start}`) }
    },
    ...more,
  }
  await notifiers.insert({ start: 0, last: 9 }, ops)
  await notifiers.insert({ start: 1, last: 9 }, ops)
  return ops
}

function fail(): never {
  throw new Error('first')
}

test.each<[string, First, string]>([
  ['throws', fail, 'Error: first'],
  ['refuses', () => false, 'WARN  a callback refused the blockable clear of [0x0, 0xa)'],
])('a callback %s: the others are told all the same, and what they have started is finished', async (_, first, message) => {
  const r = rig()
  await two(r, first)
  expect(await thrown(r.notifiers.invalidate(CLEAR, async () => { r.log.push('change') }))).toBe(message)
  expect([r.log, r.notifiers.active, r.notifiers.seq]).toEqual([['clear 0', 'clear 1', 'finish 1'], 0, 4])
})

test('a callback that returns nothing is told so', async () => {
  const { notifiers } = rig()
  await notifiers.insert({ start: 0, last: 9 }, { invalidate: async () => undefined as unknown as boolean })
  expect(await thrown(notifiers.invalidate(CLEAR, nothing))).toContain('invalidate of [0x0, 0x9] returned undefined: expected true')
})

test('a range that lockdep does not let begin is not ended either', async () => {
  const r = rig()
  await two(r, () => true, { invalidate: async () => { await r.notifiers.invalidateRangeStart(CLEAR); return true } })
  expect(await thrown(r.notifiers.invalidate(CLEAR, nothing))).toContain('takes mmu_notifier_invalidate_range_start again')
  expect([r.notifiers.active, r.notifiers.seq]).toEqual([0, 4])
})

test('a second pass throws: the others run, and an errno is a WARN', async () => {
  const r = rig()
  await two(r, () => () => Promise.reject(new MmuNotifierError('EFAULT', 'no device')))
  expect(await thrown(r.notifiers.invalidate(CLEAR, nothing))).toBe('WARN  a callback of clear threw no device')
  expect([r.log, r.notifiers.active]).toEqual([['clear 0', 'clear 1', 'finish 1'], 0])
})

test('the start of a classic notifier throws: all are told, and then of the end; an errno is a WARN', async () => {
  const { notifiers, log } = rig()
  const invalidateRangeEnd = async (): Promise<void> => { log.push('end') }
  await notifiers.register({ invalidateRangeStart: () => Promise.reject(new MmuNotifierError('ENOMEM', 'none left')), invalidateRangeEnd })
  await notifiers.register({ invalidateRangeStart: async () => { log.push('start'); return true }, invalidateRangeEnd })
  expect(await thrown(notifiers.invalidate(CLEAR, nothing))).toBe('WARN  a callback of clear threw none left')
  expect([log, notifiers.active]).toEqual([['start', 'end', 'end'], 0])
})

test('a release throws: the others are released, everybody counts as gone, and nothing waits for it', async () => {
  const r = rig()
  const ops = await two(r, () => true, { release: ({ start }) => { r.log.push(`release ${start}`); if (start === 0) fail() } })
  const classic = await r.notifiers.register({ invalidateRangeEnd: async () => { r.log.push('end') } })
  expect(await thrown(r.notifiers.invalidate(CLEAR, () => r.notifiers.removeAll(ops)))).toBe('Error: first')
  expect([r.log.slice(3), r.notifiers.outstanding, r.mm.count.value]).toEqual([['release 0', 'release 1', 'end'], 0, 2])
  await r.notifiers.synchronize()
  await classic.unregister()
})

test.each<[string, First]>([['throws', fail], ['refuses', () => false]])('at the end of the address space a callback %s: all are told, and it ends', async (_, first) => {
  const r = rig()
  const ops = await two(r, first)
  await r.notifiers.register({ release: async () => { r.log.push('classic') } })
  await r.mm.mmgrab()
  expect(await thrown(r.mm.mmput())).toMatch(/^Error: first$|^WARN {2}a callback refused/)
  expect([r.log, r.notifiers.active]).toEqual([['release 0', 'release 1', 'finish 1', 'classic', 'teardown'], 0])
  await r.notifiers.removeAll(ops)
  expect([r.notifiers.outstanding, r.mm.count.value]).toEqual([0, 2]) // of the classic one, and ours
})

test('a release is no callback of the range that ends: it may lock the tree, also at the end of the address space, and where a range was refused', async () => {
  const r = rig()
  const { notifiers, log } = r
  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range, seq) {
      await notifier.setSeq(seq)
      await notifier.removeDeferred()
      return true
    },
    async release() {
      const tree = await notifiers.lockTree()
      log.push(`left: ${await tree.find(ops, 0, 99) ? 1 : 0}`)
      await tree.unlock()
    },
  }
  const refuses: IntervalNotifierOps = { invalidate: async (_, { blockable }) => blockable }
  await notifiers.insert({ start: 0, last: 9 }, ops)
  await notifiers.insert({ start: 1, last: 9 }, refuses)
  expect(await notifiers.invalidateRangeStartNonblock(CLEAR)).toBe('EAGAIN')
  await notifiers.insert({ start: 0, last: 9 }, ops)
  await r.mm.mmgrab()
  await r.mm.mmput()
  expect([log, notifiers.outstanding]).toEqual([['left: 0', 'teardown', 'left: 0'].toSorted(), 1])
})

test('a callback may remove all intervals of its driver', async () => {
  const r = rig()
  const released: number[] = []
  await two(r, () => true, {
    async invalidate(notifier, _, seq) {
      await notifier.setSeq(seq)
      await r.notifiers.removeAll(notifier.ops)
      return true
    },
    release: ({ start }) => { released.push(start) },
  })
  await r.notifiers.invalidate({ ...CLEAR, event: 'release' }, async () => { expect(released).toEqual([]) })
  expect([released, r.notifiers.outstanding]).toEqual([[0, 1], 0])
})

test('a classic notifier may use the tree of a range that hits no interval, which is locked from then on', async () => {
  const { kernel, notifiers } = rig()
  const released: string[] = []
  const ops: IntervalNotifierOps = { invalidate: async () => true, release: ({ start, last }) => { released.push(`[${start}, ${last}]`) } }
  const x = await notifiers.insert({ start: 0, last: 9 }, ops)
  const y = await notifiers.insert({ start: 20, last: 29 }, ops)
  const seen: unknown[] = []
  await notifiers.register({
    async invalidateRangeStart({ tree }) {
      await tree.update(x, { start: 0, last: 19 })
      const found = await tree.find(ops, 20, 29)
      await kernel.spawn('owner', () => y.removeDeferred()).join()
      seen.push(found === y, notifiers.seq, notifiers.deferred, [...released])
      await found?.get()
      return true
    },
  })
  await notifiers.invalidate({ start: 50, end: 60, event: 'clear' }, nothing)
  expect(seen).toEqual([true, 3, 2, []])
  expect([notifiers.seq, notifiers.deferred, x.last, y.references, released]).toEqual([4, 0, 19, 1, []])
  await x.readBegin()
  await y.put()
  expect(released).toEqual(['[20, 29]'])
})

test('an address space that has had no interval is told of its end all the same', async () => {
  const { kernel, mm, notifiers, log } = rig()
  const invariants = new Invariants(kernel, notifiers)
  await mm.mmput()
  expect([log, invariants.checks]).toEqual([['teardown'], 1])
})
