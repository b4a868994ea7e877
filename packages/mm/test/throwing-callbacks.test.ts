import type { InvalidateRange } from '@mmu-notifier/core'
import { expect, test } from 'vitest'
import { MADV_COLD, MREMAP_MAYMOVE, PROT_READ, type Mm, type PhysicalMemoryOptions } from '../src/index.ts'
import { TestDevice } from './device-pages.ts'
import { anon, machine, mapFile, maps, outcome, page, pages, peek, poke, RW } from './helpers.ts'

/*
 * Linux's callbacks cannot fail; those of a driver under test throw. The error goes to who has called, and all that mm knows goes together still.
 */

function newMm(options?: PhysicalMemoryOptions): Mm {
  return machine(options).createMm('mm')
}

/** The driver of everything throws, once, at the first event of which `when` is true. */
async function throwAt(mm: Mm, when: (range: InvalidateRange) => boolean): Promise<void> {
  let armed = true
  await mm.notifiers.insert({ start: 0, last: Number.MAX_SAFE_INTEGER }, {
    async invalidate(it, range, seq) {
      await it.setSeq(seq)
      if (!armed || !when(range)) return true
      armed = false
      throw new Error('boom')
    },
  })
}

const anyEvent = (): boolean => true

/** The call fails by the callback; what it has done is another question. */
async function boom(call: Promise<unknown>): Promise<void> {
  await expect(call).rejects.toThrow('boom')
}

/** Nothing is held or left after the end. */
async function expectNothingLeft(...mms: Mm[]): Promise<void> {
  for (const mm of mms) await mm.exit()
  expect(mms.map(({ memory, notifiers }) => [memory.frames.used, notifiers.active])).toEqual(mms.map(() => [1, 0]))
}

test('a fault on an exclusive page: the page is not locked afterwards, and the next access ends it', async () => {
  const mm = newMm()
  await anon(mm, 0, 1)
  await poke(mm, 0, 7)
  await throwAt(mm, ({ event, owner }) => event === 'exclusive' && owner === undefined)
  await mm.mmapRead(async () => { await (await mm.makeDeviceExclusive(page(0), page(1), 'me')).release() })
  await boom(mm.read(page(0), 1))
  expect(await peek(mm, 0)).toBe(7)
  await expectNothingLeft(mm)
})

test('makeDeviceExclusive: what was made exclusive before has no lock and no reference', async () => {
  const mm = newMm()
  await anon(mm, 0, 3)
  for (let n = 0; n < 3; n++) await poke(mm, n, n)
  await throwAt(mm, ({ event, start }) => event === 'exclusive' && start === page(1))
  await boom(mm.mmapRead(() => mm.makeDeviceExclusive(page(0), page(3), 'me')))
  expect([await peek(mm, 0), await peek(mm, 1), await peek(mm, 2)]).toEqual([0, 1, 2])
  await expectNothingLeft(mm)
})

test('migrateVma, in another address space that maps the page: all pages stay where they are', async () => {
  const mm = newMm()
  await anon(mm, 0, 3)
  for (let n = 0; n < 3; n++) await poke(mm, n, n)
  const child = await mm.fork('child')
  await throwAt(child, ({ start }) => start === page(1))
  const device = new TestDevice(mm.memory)
  await boom(device.take(mm, 0, 3))
  expect([await peek(mm, 0), await peek(mm, 1), await peek(child, 2), device.free.length]).toEqual([0, 1, 2, 16])
  expect(await device.take(mm, 0, 3)).toEqual([true, true, true])
  await expectNothingLeft(mm, child)
})

test('migrateVma, as a huge page of the range is split: the small ones before it stay, too', async () => {
  const mm = newMm({ transparentHugepage: 'always' })
  await anon(mm, 511, 513)
  await poke(mm, 511, 5)
  await poke(mm, 512, 6)
  let clears = 0
  await throwAt(mm, ({ event }) => event === 'clear' && ++clears === 2)
  const device = new TestDevice(mm.memory, 1024)
  await boom(device.take(mm, 511, 513))
  expect([await peek(mm, 511), await peek(mm, 512)]).toEqual([5, 6])
  await poke(mm, 512, 7)
  await expectNothingLeft(mm)
})

test('Migration.pages: what was committed before has moved, the rest stays', async () => {
  const mm = newMm()
  await anon(mm, 0, 4)
  await poke(mm, 0, 5)
  await poke(mm, 2, 6)
  let migrations = 0
  await throwAt(mm, ({ event }) => event === 'migrate' && ++migrations === 2)
  const device = new TestDevice(mm.memory)
  await mm.mmapRead(async () => {
    const migration = await mm.migrateVma({ start: page(0), end: page(4), owner: device, select: 'system' })
    await boom(device.move(migration, () => device.allocate()))
    await migration.finalize()
  })
  expect(device.free.length).toBe(15)
  expect([await peek(mm, 0), await peek(mm, 1), await peek(mm, 2)]).toEqual([5, 0, 6])
  await expectNothingLeft(mm)
})

test('MADV_COLD of part of a huge page: it is neither locked nor split', async () => {
  const mm = newMm({ transparentHugepage: 'always' })
  await anon(mm, 512, 512)
  await poke(mm, 512, 5)
  let clears = 0
  await throwAt(mm, ({ event }) => event === 'clear' && ++clears === 2)
  await boom(mm.madvise(page(512), pages(4), MADV_COLD))
  expect(await peek(mm, 512)).toBe(5)
  await mm.madvise(page(512), pages(4), MADV_COLD)
  await poke(mm, 512, 6)
  await expectNothingLeft(mm)
})

test('munmap: the pages go with the area', async () => {
  const mm = newMm()
  await anon(mm, 0, 1)
  await poke(mm, 0, 42)
  await throwAt(mm, anyEvent)
  await boom(mm.munmap(page(0), pages(1)))
  expect(mm.memory.frames.used).toBe(1)
  await anon(mm, 0, 1)
  expect(await peek(mm, 0)).toBe(0)
  await expectNothingLeft(mm)
})

test('brk: less memory is less memory', async () => {
  const mm = newMm()
  mm.setBrk(page(0))
  await mm.brk(page(2))
  await poke(mm, 1, 1)
  await throwAt(mm, anyEvent)
  await boom(mm.brk(page(1)))
  expect([await mm.brk(page(3)), maps(mm), await peek(mm, 1)]).toEqual([page(3), '0-3 rw-p', 0])
  await expectNothingLeft(mm)
})

test('mprotect: the entries say what the area says', async () => {
  const mm = newMm()
  await anon(mm, 0, 1)
  await poke(mm, 0, 1)
  await throwAt(mm, anyEvent)
  await boom(mm.mprotect(page(0), pages(1), PROT_READ))
  expect([maps(mm), await outcome(poke(mm, 0, 2))]).toEqual(['0-1 r--p', 'EFAULT'])
  await expectNothingLeft(mm)
})

test.each([
  ['before anything has moved', 0, 1],
  ['as a huge page is split, after small ones have moved', 511, 513],
])('mremap, %s: the pages are where they were', async (_, first, count) => {
  const mm = newMm({ transparentHugepage: 'always' })
  await anon(mm, first, count)
  await poke(mm, first, 5)
  await poke(mm, first + count - 1, 6)
  let events = 0
  await throwAt(mm, () => ++events === (count === 1 ? 1 : 2))
  await boom(mm.mremap(page(first), pages(count), pages(count), MREMAP_MAYMOVE | 2, page(0x10001)))
  expect([maps(mm), await peek(mm, first), await peek(mm, first + count - 1)]).toEqual([`${first}-${first + count} rw-p`, count === 1 ? 6 : 5, 6])
  await expectNothingLeft(mm)
})

test('fork: there is no child', async () => {
  const mm = newMm()
  await anon(mm, 0, 1)
  await anon(mm, 2, 1, PROT_READ)
  await anon(mm, 4, 1)
  await poke(mm, 0, 1)
  await poke(mm, 4, 1)
  await throwAt(mm, ({ start }) => start === page(4))
  await boom(mm.fork('child'))
  await poke(mm, 0, 2)
  expect(mm.memory.frames.used).toBe(3)
  await expectNothingLeft(mm)
})

test('exit: the pages and areas go', async () => {
  const mm = newMm()
  await anon(mm, 0, 2)
  await poke(mm, 0, 1)
  await throwAt(mm, ({ event }) => event === 'unmap')
  await boom(mm.exit())
  expect([mm.memory.frames.used, maps(mm)]).toEqual([1, ''])
})

test.each([
  ['truncate', (file: ReturnType<Mm['memory']['createFile']>) => file.truncate(0)],
  ['punchHole', (file: ReturnType<Mm['memory']['createFile']>) => file.punchHole(0, pages(1))],
])('%s: the page cache has no page that it does not know', async (_, call) => {
  const mm = newMm()
  const file = mm.memory.createFile({ name: 'f', size: pages(1) })
  await mapFile(mm, 0, 1, file)
  await poke(mm, 0, 1)
  await throwAt(mm, anyEvent)
  await boom(call(file))
  await mm.munmap(page(0), pages(1))
  await file.unlink()
  await expectNothingLeft(mm)
})

test('mmap over areas: nothing of them is left, and nothing new is there', async () => {
  const mm = newMm()
  await anon(mm, 0, 1)
  await poke(mm, 0, 1)
  await throwAt(mm, anyEvent)
  await boom(anon(mm, 0, 1, RW))
  expect([maps(mm), mm.memory.frames.used]).toEqual(['', 1])
})
