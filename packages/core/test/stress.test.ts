import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { NotifiedMm, type IntervalNotifier, type IntervalNotifierOps, type InvalidateRange } from '../src/index.ts'

/*
 * A whole address space of PAGES pages in a few lines: `cpu[p]` is the frame of page p, a device copies entries into `device[p]` by the canonical loop, invalidators replace frames, one of them
 * punches holes by batch. Whenever a frame is freed no device entry may name it.
 */
const PAGES = 4

interface Bugs {
  /** The callback does not tell the readers. */
  readonly skipSetSeq?: boolean
  /** The reader programs whatever it has read. */
  readonly skipRetry?: boolean
  /** The callback does not unmap. */
  readonly skipUnmap?: boolean
  /** The hole is punched in three steps outside of the invalidation. */
  readonly noBatch?: boolean
}

async function run(seed: number, bugs: Bugs): Promise<string[]> {
  const kernel: Kernel = createKernel({ preemption: { seed, probability: 0.4 } })
  const { notifiers } = new NotifiedMm(kernel, 'mm')
  const lock = kernel.mutex('driver.lock')
  const step = kernel.cell('page table', 0)
  const cpu = Array.from({ length: PAGES }, (_, page) => page)
  const device: (number | undefined)[] = []
  const stale: string[] = []
  let nextFrame = PAGES
  let releases = 0
  let inserts = 0

  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range, seq) {
      await lock.lock()
      if (!bugs.skipSetSeq) await notifier.setSeq(seq)
      const part = range.within(notifier)
      if (!bugs.skipUnmap) for (let page = part.start; page <= part.last; page++) device[page] = undefined
      await lock.unlock()
      if (range.event === 'unmap' && !bugs.noBatch) await cut(range)
      return true
    },
    release() { releases++ },
  }

  /** Of what find returns, not of what was called: that one may be dying, and its parts pending, from an earlier hole of the same period. */
  async function cut(range: InvalidateRange): Promise<void> {
    for (;;) {
      const notifier = await range.tree.find(ops, range.start, range.end - 1)
      if (!notifier) return
      const insert = notifier.without(range).map((interval) => ({ interval, ops }))
      inserts += insert.length
      await range.tree.batch({ remove: [notifier], insert })
    }
  }

  async function insert(start: number, last: number): Promise<IntervalNotifier> {
    inserts++
    return notifiers.insert({ start, last }, ops)
  }

  async function findAndGet(page: number): Promise<IntervalNotifier | undefined> {
    const tree = await notifiers.lockTree()
    try {
      const found = await tree.find(ops, page, page)
      await found?.get()
      return found
    } finally {
      await tree.unlock()
    }
  }

  async function fault(page: number): Promise<void> {
    const found = await findAndGet(page)
    if (!found) inserts++
    const notifier = found ?? (await notifiers.insertAndGet({ start: page, last: page }, ops))
    for (;;) {
      const seq = await notifier.readBegin()
      if (notifier.dying) break
      await step.read()
      const frame = cpu[page]
      await lock.lock()
      const retry = !bugs.skipRetry && (await notifier.readRetry(seq))
      if (!retry) {
        await step.write(0)
        device[page] = frame
      }
      await lock.unlock()
      if (!retry) break
    }
    await notifier.put()
  }

  async function replace(page: number, event: 'clear' | 'unmap'): Promise<void> {
    await notifiers.invalidate({ start: page, end: page + 1, event }, async () => {
      await step.write(0)
      const freed = cpu[page]
      cpu[page] = nextFrame++
      await step.write(0)
      device.forEach((frame, at) => { if (frame === freed) stale.push(`page ${at} still maps frame ${frame ?? '?'}`) })
    })
  }

  /** What the thread warns of: remove, insert left, insert right, one after the other. */
  async function split(page: number): Promise<void> {
    const found = await findAndGet(page)
    if (!found) return
    if (!found.dying) await found.removeDeferred().catch(() => undefined)
    for (const rest of found.without({ start: page, end: page + 1 })) await insert(rest.start, rest.last)
    await found.put()
  }

  await insert(0, PAGES - 1)
  const tasks = [
    kernel.spawn('device 0', async () => { for (const page of [0, 3, 2, 1]) await fault(page) }),
    kernel.spawn('device 1', async () => { for (const page of [2, 3, 0]) await fault(page) }),
    kernel.spawn('cpu 0', async () => { for (const page of [3, 2, 3, 0]) await replace(page, 'clear') }),
    kernel.spawn('cpu 1', async () => {
      for (const page of [1, 2]) {
        if (bugs.noBatch) await split(page)
        await replace(page, 'unmap')
      }
    }),
  ]
  for (const task of tasks) await task.join()
  await notifiers.removeAll(ops)
  await notifiers.synchronize()
  if (notifiers.outstanding > 0 || releases !== inserts) stale.push(`LEAK ${inserts} inserted, ${releases} released, ${notifiers.outstanding} outstanding`)
  if (notifiers.active !== 0 || notifiers.seq % 2 !== 0 || notifiers.deferred !== 0) stale.push('not quiescent at the end')
  return stale
}

/** Seeds 1 .. n in order until one fails. A sample, not a proof: the checker's business. */
async function firstFailure(bugs: Bugs, n: number): Promise<string | undefined> {
  for (let seed = 1; seed <= n; seed++) {
    const stale = await run(seed, bugs)
    if (stale.length > 0) return `seed ${seed}: ${stale.join('; ')}`
  }
  return undefined
}

test('no schedule of 300 leaves a stale entry or a leak', async () => {
  expect(await firstFailure({}, 300)).toBeUndefined()
})

test.each<[string, Bugs]>([
  ['setSeq is skipped', { skipSetSeq: true }],
  ['readRetry is ignored', { skipRetry: true }],
  ['the callback does not unmap', { skipUnmap: true }],
  ['the hole is no batch', { noBatch: true }],
])('the test sees it when %s', async (_, bugs) => {
  expect(await firstFailure(bugs, 300)).toMatch(/^seed \d+: page \d still maps frame/)
})
