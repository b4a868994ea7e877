import { RULES, type IntervalNotifier } from '@mmu-notifier/core'
import { beforeEach, expect, test } from 'vitest'
import { PFN_VALID, PFN_WRITE, MADV_DONTNEED, type Mm, type UnlockedOptions, type Userfaultfd } from '../src/index.ts'
import { anon, newMm, outcome, page, pages, peek, poke } from './helpers.ts'

let mm: Mm
let uffd: Userfaultfd
let notifier: IntervalNotifier

beforeEach(async () => {
  mm = newMm()
  uffd = mm.userfaultfd()
  notifier = await mm.notifiers.insert({ start: page(0), last: page(1000) - 1 }, {
    async invalidate(it, _, seq) {
      await it.setSeq(seq)
      return true
    },
  })
})

/** The rights of pages `[first, first + count)`, `w`, `r` or `.`, and whether they hold; or `busy`, or the errno. */
async function unlocked(first: number, count: number, access: 'read' | 'write', options?: UnlockedOptions): Promise<unknown> {
  return outcome(
    mm.rangeFaultUnlocked({ notifier, start: page(first), end: page(first + count), access }, options).then(async (found) => {
      if (found === 'busy') return found
      const rights = [...found.pfns].map((pfn) => (pfn & PFN_WRITE ? 'w' : pfn & PFN_VALID ? 'r' : '.')).join('')
      return (await notifier.readRetry(found.seq)) ? `${rights}, stale` : rights
    }),
  )
}

/** The same in a task. @returns ends it, and what came of it */
async function waiting(...args: Parameters<typeof unlocked>): Promise<() => Promise<unknown>> {
  let result: unknown = 'waits'
  const task = mm.memory.kernel.spawn('device', async () => { result = await unlocked(...args) })
  await mm.memory.kernel.idle()
  expect([result, task.held]).toEqual(['waits', []])
  return async () => {
    await task.join()
    return result
  }
}

/** Brings every page that is asked for, until the userfaultfd is closed. */
const resolve = async (): Promise<void> => {
  for (let fault = await uffd.read(); fault; fault = await uffd.read()) await uffd.copy(fault.address, new Uint8Array(pages(1)).fill(7))
}

test('what needs nobody is as by rangeFault', async () => {
  await anon(mm, 0, 4)
  await poke(mm, 1, 1)
  expect([await unlocked(0, 4, 'read'), await unlocked(5, 1, 'read')]).toEqual(['rwrr', 'EFAULT'])
})

test('each missing page is waited for, without the mmap lock', async () => {
  await anon(mm, 0, 4)
  await poke(mm, 1, 1)
  await uffd.register(page(0), pages(4))
  const faults: number[] = []
  mm.memory.kernel.on('mm:fault', (_, address, __, by) => { if (by === 'remote') faults.push((address - page(0)) / 4096) })
  const resolver = mm.memory.kernel.spawn('resolver', resolve)
  expect(await unlocked(0, 4, 'read')).toBe('wwww')
  expect([await peek(mm, 3), faults]).toEqual([7, [0, 2, 3]])
  await uffd.close()
  await resolver.join()
})

test('what was found before the wait is found again: the wait is no lost turn, and no stale one', async () => {
  await anon(mm, 0, 2)
  await poke(mm, 0, 1)
  await uffd.register(page(1), pages(1))
  const device = await waiting(0, 2, 'read', { retries: 1 })
  for (let i = 0; i < 3; i++) await mm.madvise(page(0), pages(1), MADV_DONTNEED)
  await uffd.copy(page(1), new Uint8Array(pages(1)))
  expect(await device()).toBe('rw')
})

test('munmap meanwhile is EFAULT, when who resolves has woken it', async () => {
  await anon(mm, 0, 1)
  await uffd.register(page(0), pages(1))
  const device = await waiting(0, 1, 'read')
  await mm.munmap(page(0), pages(1))
  await uffd.wake(page(0), pages(1))
  expect(await device()).toBe('EFAULT')
})

test('close meanwhile gives the zero page', async () => {
  await anon(mm, 0, 1)
  await uffd.register(page(0), pages(1))
  const device = await waiting(0, 1, 'read')
  await uffd.close()
  expect(await device()).toBe('r')
})

test('a notifier that is removed meanwhile is busy: nobody would tell of changes', async () => {
  await anon(mm, 0, 1)
  await uffd.register(page(0), pages(1))
  const device = await waiting(0, 1, 'read')
  await notifier.get() // the reader's
  await notifier.removeDeferred()
  await uffd.zeropage(page(0), pages(1))
  expect(await device()).toBe('busy')
  await notifier.put()
})

test('the notifier shrinks before the turn, or while a page is waited for: EINVAL, as nobody would tell of changes', async () => {
  const shrink = async (): Promise<() => Promise<void>> => {
    const tree = await mm.notifiers.lockTree()
    await tree.update(notifier, { start: page(0), last: page(1) - 1 })
    return () => tree.unlock()
  }
  await anon(mm, 0, 4)
  await uffd.register(page(2), pages(1))
  const device = await waiting(2, 1, 'read')
  await (await shrink())()
  await uffd.zeropage(page(2), pages(1))
  expect(await device()).toBe('EINVAL')
  await uffd.close()
  const grow = await mm.notifiers.lockTree()
  await grow.update(notifier, { start: page(0), last: page(4) - 1 })
  await grow.unlock()
  const unlock = await shrink()
  const again = await waiting(2, 1, 'read')
  await unlock()
  expect(await again()).toBe('EINVAL')
})

test('the notifier is about to grow: that is waited for', async () => {
  await anon(mm, 0, 1)
  await poke(mm, 0, 1)
  const tree = await mm.notifiers.lockTree()
  await tree.update(notifier, { start: page(1), last: page(2) - 1 })
  await tree.unlock()
  const again = await mm.notifiers.lockTree()
  await again.update(notifier, { start: page(0), last: page(2) - 1 })
  const device = await waiting(0, 1, 'read')
  await again.unlock()
  expect(await device()).toBe('w')
})

/** Copies on write in two leaf tables cost a turn each. */
async function twoTurnsToLose(): Promise<void> {
  await anon(mm, 510, 6)
  await poke(mm, 511, 1)
  await poke(mm, 513, 1)
  await mm.fork('child')
}

test.each<[number, string]>([
  [0, 'www'],
  [1, 'busy'],
  [2, 'www'],
])('retries of %i: turns in a row that may be lost, any number with 0', async (retries, expected) => {
  await twoTurnsToLose()
  expect(await unlocked(511, 3, 'write', { retries })).toBe(expected)
})

test('the count begins anew when the lock was dropped', async () => {
  await twoTurnsToLose()
  await uffd.register(page(512), pages(1))
  const resolver = mm.memory.kernel.spawn('resolver', resolve)
  expect(await unlocked(511, 3, 'write', { retries: 1 })).toBe('www')
  await uffd.close()
  await resolver.join()
})

test.each([-1, 0.5, Infinity])('retries of %s are a RangeError', async (retries) => {
  await anon(mm, 0, 1)
  expect(await unlocked(0, 1, 'read', { retries })).toBe('RangeError')
})

test('not in a callback', async () => {
  await anon(mm, 0, 2)
  await mm.notifiers.insert({ start: page(0), last: page(2) - 1 }, {
    async invalidate(it) {
      await mm.rangeFaultUnlocked({ notifier: it, start: page(0), end: page(1), access: 'read' })
      return true
    },
  })
  await expect(mm.munmap(page(0), pages(1))).rejects.toThrow(RULES.fault)
})
