import type { IntervalNotifierOps } from '@mmu-notifier/core'
import { createKernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import {
  MADV_COLD, MADV_DONTFORK, MADV_DONTNEED, MADV_FREE, MADV_POPULATE_WRITE, MADV_REMOVE, MADV_WIPEONFORK, MAP_ANONYMOUS, MAP_FIXED,
  MAP_PRIVATE, MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PhysicalMemory, PROT_NONE, PROT_READ, type Mm,
} from '../src/index.ts'
import { anon, mapFile, newMm, outcome, page, pages, peek, poke, recordEvents, RW, sharedAnon } from './helpers.ts'

const MOVE_TO = MREMAP_MAYMOVE | MREMAP_FIXED

/** Pages 0 to 9 are private anonymous memory, written; 20 to 29 shared. What a call announces. */
type Case = readonly [title: string, call: (mm: Mm) => Promise<unknown>, events: string]

const cases: readonly Case[] = [
  ['mmap into a hole', (mm) => anon(mm, 12, 4), ''],
  ['mmap over areas: the range as asked for, holes included', (mm) => anon(mm, 8, 14), 'unmap 8-22'],
  ['munmap: one range, holes included', (mm) => mm.munmap(page(5), pages(20)), 'unmap 5-25'],
  ['munmap of a hole', (mm) => mm.munmap(page(40), pages(5)), ''],
  ['munmap of what was never touched', async (mm) => { await anon(mm, 40, 2); await mm.munmap(page(40), pages(2)) }, 'unmap 40-42'],
  ['mprotect: the areas that change', (mm) => mm.mprotect(page(2), pages(3), PROT_READ), 'protectionVma 2-5'],
  ['mprotect to what it is', (mm) => mm.mprotect(page(2), pages(3), RW), ''],
  ['mprotect: each area by itself', async (mm) => {
    await mm.mprotect(page(2), pages(2), PROT_READ)
    await mm.mprotect(page(0), pages(10), PROT_NONE)
  }, 'protectionVma 2-4, protectionVma 0-2, protectionVma 2-4, protectionVma 4-10'],
  ['mprotect over a hole: what lies before', async (mm) => outcome(mm.mprotect(page(8), pages(14), PROT_READ)), 'protectionVma 8-10'],
  ['mprotect of areas without page tables', async (mm) => {
    await mm.mmap(2 ** 40, pages(4), RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    await mm.mprotect(2 ** 40, pages(4), PROT_READ)
  }, ''],
  ['mprotect: from the first 1 GiB with page tables', async (mm) => {
    await mm.mmap(page(0x80000), 2 ** 31, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    await poke(mm, 0xe0000, 1)
    await mm.mprotect(page(0xa0000), 2 ** 30 + 2 ** 29, PROT_READ)
  }, 'protectionVma 786432-0x200000000'],
  ['mremap: shrink', (mm) => mm.mremap(page(0), pages(10), pages(4), 0), 'unmap 4-10'],
  ['mremap: grow in place', (mm) => mm.mremap(page(0), pages(10), pages(12), 0), ''],
  ['mremap: move is two', (mm) => mm.mremap(page(0), pages(4), pages(4), MOVE_TO, page(40)), 'unmap 0-4, unmap 0-4'],
  ['mremap: move, shrink, over others', (mm) => mm.mremap(page(0), pages(4), pages(2), MOVE_TO, page(19)),
    'unmap 19-21, unmap 2-4, unmap 0-2, unmap 0-2'],
  ['mremap: MREMAP_DONTUNMAP', (mm) => mm.mremap(page(0), pages(4), pages(4), MOVE_TO | MREMAP_DONTUNMAP, page(40)), 'unmap 0-4'],
  ['mremap: duplicate', (mm) => mm.mremap(page(20), 0, pages(4), MOVE_TO, page(40)), ''],
  ['mremap: a bad source', async (mm) => outcome(mm.mremap(page(8), pages(4), pages(4), MOVE_TO, page(20))), 'unmap 20-24'],
  ['brk: shrink', async (mm) => { mm.setBrk(page(60)); await mm.brk(page(64)); await mm.brk(page(61) + 1) }, 'unmap 62-64'],
  ['MADV_DONTNEED: each area, populated or not', async (mm) => {
    await anon(mm, 10, 2, PROT_READ)
    await mm.madvise(page(8), pages(4), MADV_DONTNEED)
  }, 'clear 8-10, clear 10-12'],
  ['MADV_DONTNEED over a hole', async (mm) => outcome(mm.madvise(page(8), pages(14), MADV_DONTNEED)), 'clear 8-10, clear 20-22'],
  ['MADV_FREE', (mm) => mm.madvise(page(1), pages(2), MADV_FREE), 'clear 1-3'],
  ['MADV_FREE: what lies before a bad area', async (mm) => {
    await sharedAnon(mm, 10, 1)
    return outcome(mm.madvise(page(8), pages(4), MADV_FREE))
  }, 'clear 8-10'],
  ['MADV_REMOVE', (mm) => mm.madvise(page(21), pages(2), MADV_REMOVE), 'clear 21-23'],
  ['advice that is only a flag', async (mm) => {
    await mm.madvise(page(0), pages(4), MADV_DONTFORK)
    await mm.madvise(page(0), pages(4), MADV_COLD)
  }, ''],
  ['pages that become present', async (mm) => {
    await anon(mm, 40, 4)
    await peek(mm, 40)
    await poke(mm, 41, 1)
    await mm.madvise(page(42), pages(2), MADV_POPULATE_WRITE)
  }, ''],
  ['a write to the zero page', async (mm) => {
    await anon(mm, 40, 4)
    await peek(mm, 41)
    await poke(mm, 41, 1)
    await poke(mm, 41, 2)
  }, 'clear 41-42'],
  ['fork: each area that has private pages', async (mm) => {
    await anon(mm, 40, 2)
    await anon(mm, 50, 2, PROT_READ)
    await peek(mm, 50)
    await (await mm.fork('child')).exit()
  }, 'protectionPage 0-10'],
  ['fork: neither MADV_DONTFORK nor MADV_WIPEONFORK', async (mm) => {
    await mm.madvise(page(0), pages(3), MADV_DONTFORK)
    await mm.madvise(page(5), pages(5), MADV_WIPEONFORK)
    await (await mm.fork('child')).exit()
  }, 'protectionPage 3-5'],
  ['a write after fork, and one when the child is gone', async (mm) => {
    const child = await mm.fork('child')
    await poke(mm, 1, 2)
    await child.exit()
    await poke(mm, 2, 2)
  }, 'protectionPage 0-10, clear 1-2'],
  ['exit', (mm) => mm.exit(), 'release, unmap'],
  ['exit with another user', async (mm) => { await mm.mmget(); await mm.exit() }, ''],
]

test.each(cases)('%s', async (_, call, expected) => {
  const mm = newMm()
  await anon(mm, 0, 10)
  for (let n = 0; n < 10; n++) await poke(mm, n, n)
  await sharedAnon(mm, 20, 10)
  await poke(mm, 20, 1)
  const events = await recordEvents(mm)
  await call(mm)
  expect(events()).toBe(expected)
})

test('an empty address space ends with release alone', async () => {
  const mm = newMm()
  const events = await recordEvents(mm)
  await mm.exit()
  expect(events()).toBe('release')
})

test('a write through a private file mapping that was read before', async () => {
  const mm = newMm()
  await mapFile(mm, 0, 2, mm.memory.createFile({ name: 'f', size: pages(2) }), MAP_PRIVATE)
  const events = await recordEvents(mm)
  await poke(mm, 0, 1)
  await peek(mm, 1)
  await poke(mm, 1, 1)
  expect(events()).toBe('clear 1-2')
})

test('a write behind the end of a file has prepared the area for private pages: fork announces it', async () => {
  const mm = newMm()
  await mapFile(mm, 0, 2, mm.memory.createFile({ name: 'f', size: 0 }), MAP_PRIVATE)
  const events = await recordEvents(mm)
  expect(await outcome(poke(mm, 0, 1))).toBe('EFAULT')
  await mm.fork('child')
  expect(events()).toBe('protectionPage 0-2')
})

test('the areas of a file are told in the order of the file', async () => {
  const mm = newMm()
  const file = mm.memory.createFile({ name: 'f', size: pages(8) })
  await mapFile(mm, 0, 2, file, MAP_SHARED, 6)
  await mapFile(mm, 5, 2, file, MAP_SHARED, 2)
  const events = await recordEvents(mm)
  await file.punchHole(0, pages(8))
  expect(events()).toBe('clear 5-7, clear 0-2')
})

test('what MREMAP_DONTUNMAP leaves has no private pages: fork says nothing of it', async () => {
  const mm = newMm()
  await anon(mm, 0, 2)
  await poke(mm, 0, 1)
  await mm.mremap(page(0), pages(2), pages(2), MOVE_TO | MREMAP_DONTUNMAP, page(8))
  const events = await recordEvents(mm)
  await mm.fork('child')
  expect(events()).toBe('protectionPage 8-10')
})

test('munmap frees the page tables of 1 GiB only where no other area is left: mprotect shows it', async () => {
  const mm = newMm()
  await anon(mm, 0, 4)
  await anon(mm, 0x1000, 4)
  await anon(mm, 0x100000, 4)
  await poke(mm, 0, 1)
  await poke(mm, 0x100000, 1)
  await mm.munmap(page(0), pages(4))
  await mm.munmap(page(0x100000), pages(4))
  await anon(mm, 0x100000, 4)
  const events = await recordEvents(mm)
  await mm.mprotect(page(0x1000), pages(4), PROT_READ)
  await mm.mprotect(page(0x100000), pages(4), PROT_READ)
  expect(events()).toBe('protectionVma 4096-4100')
})

test('truncation and holes: every mapping, in every address space', async () => {
  const mm = newMm()
  const other = mm.memory.createMm('other')
  const file = mm.memory.createFile({ name: 'f', size: pages(8) })
  await mapFile(mm, 0, 4, file)
  await mapFile(mm, 10, 4, file, MAP_PRIVATE, 3)
  await mapFile(other, 0, 2, file, MAP_PRIVATE, 4)
  const [events, others] = [await recordEvents(mm), await recordEvents(other)]
  await file.punchHole(pages(3), pages(2))
  expect([events(), others()]).toEqual(['clear 3-4, clear 10-12', 'clear 0-1'])
  await file.truncate(pages(9))
  expect([events(), others()]).toEqual(['', ''])
  await file.truncate(pages(5) + 1)
  expect([events(), others()]).toEqual(['clear 13-14, clear 13-14', ''])
  await file.truncate(pages(5))
  expect([events(), others()]).toEqual(['clear 12-14, clear 12-14', 'clear 1-2, clear 1-2'])
})

/** From the callback's return to the end of the range, in order: every free of a frame must fall inside. */
async function orderOf(call: (mm: Mm) => Promise<unknown>): Promise<string[]> {
  const kernel = createKernel()
  const mm = new PhysicalMemory(kernel).createMm('mm')
  await anon(mm, 0, 2)
  await poke(mm, 0, 1)
  await poke(mm, 1, 1)
  const order: string[] = []
  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range, seq) {
      await notifier.setSeq(seq)
      const present = [0, 1].map((n) => mm.pageTable.get(page(n)) !== 0)
      order.push(`${range.event} ${present.join()}`)
      return true
    },
  }
  await mm.notifiers.insert({ start: 0, last: page(100) }, ops)
  kernel.on('mm:frame_free', () => order.push('free'))
  kernel.on('mmu_notifier:range_end', () => order.push('end'))
  await call(mm)
  return order
}

test.each<[string, (mm: Mm) => Promise<unknown>, string[]]>([
  ['munmap', (mm) => mm.munmap(page(0), pages(2)), ['unmap true,true', 'free', 'free', 'end']],
  ['MADV_DONTNEED', (mm) => mm.madvise(page(1), pages(1), MADV_DONTNEED), ['clear true,true', 'free', 'end']],
  ['mmap over it', (mm) => anon(mm, 0, 1), ['unmap true,true', 'free', 'end']],
  ['mremap frees nothing', (mm) => mm.mremap(page(0), pages(2), pages(2), MOVE_TO, page(9)),
    ['unmap true,true', 'end', 'unmap false,false', 'end']],
  ['exit', (mm) => mm.exit(), ['release true,true', 'end', 'unmap true,true', 'free', 'free', 'end']],
])('%s: callback, entries, frames, end', async (_, call, order) => {
  expect(await orderOf(call)).toEqual(order)
})

test('the last sharer of a page frees it inside its own invalidation', async () => {
  const order = await orderOf(async (mm) => {
    const child = await mm.fork('child')
    await poke(mm, 0, 9)
    await child.munmap(page(0), pages(2))
  })
  expect(order).toEqual(['protectionPage true,true', 'end', 'clear true,true', 'end', 'free', 'end'])
})
