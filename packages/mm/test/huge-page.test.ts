import { describe, expect, test } from 'vitest'
import {
  frameOf, isHuge, MADV_COLD, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_POPULATE_WRITE, MAP_ANONYMOUS, MAP_PRIVATE,
  MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_NONE, PROT_READ, PTE_PRESENT, PTE_WRITE, ZERO_FRAME, type Mm, type TransparentHugepage,
} from '../src/index.ts'
import { checkFrames } from './check-frames.ts'
import { anon, machine, mapFile, outcome, page, pages, peek, poke, recordEvents, RW } from './helpers.ts'

const MOVE_TO = MREMAP_MAYMOVE | MREMAP_FIXED

function hugeMm(transparentHugepage: TransparentHugepage = 'always'): Mm {
  return machine({ transparentHugepage }).createMm('mm')
}

const entryOf = (mm: Mm, n: number): number => mm.pageTable.get(page(n))
const huge = (mm: Mm, n: number): boolean => isHuge(entryOf(mm, n))
const writable = (mm: Mm, n: number): boolean => (entryOf(mm, n) & PTE_WRITE) !== 0
const frame = (mm: Mm, n: number): number => frameOf(entryOf(mm, n))

/** A huge page at 0..512 with 1 in its pages 0, 1, 2, 5 and 20; all else is zeros. */
async function written(mm: Mm, areaPages = 512): Promise<Mm> {
  await anon(mm, 0, areaPages)
  for (const n of [0, 1, 2, 5, 20]) await poke(mm, n, 1)
  return mm
}

describe('a fault', () => {
  test('for write maps 2 MiB, whose frames lie in a row; nobody is told', async () => {
    const mm = hugeMm()
    await anon(mm, 0, 1024)
    const events = await recordEvents(mm)
    await poke(mm, 7, 9)
    const head = frame(mm, 0)
    expect([0, 7, 511].map((n) => [huge(mm, n), writable(mm, n), frame(mm, n)])).toEqual([0, 7, 511].map((n) => [true, true, head + n]))
    expect([huge(mm, 512), entryOf(mm, 512), await peek(mm, 7), await peek(mm, 8), events()]).toEqual([false, 0, 9, 0, ''])
    expect(checkFrames(mm)).toBe(513)
  })

  test('for read maps the huge zero page, the same everywhere, which is written page by page', async () => {
    const mm = hugeMm()
    await anon(mm, 0, 1024)
    expect([await peek(mm, 3), await peek(mm, 600)]).toEqual([0, 0])
    expect([huge(mm, 3), writable(mm, 3), frame(mm, 3), checkFrames(mm)]).toEqual([true, false, frame(mm, 515), 1])
    const events = await recordEvents(mm)
    await poke(mm, 1, 7)
    expect([events(), frame(mm, 0), await peek(mm, 1)]).toEqual(['clear 0-512, clear 1-2', ZERO_FRAME, 7])
    expect([huge(mm, 512), checkFrames(mm)]).toEqual([true, 2])
  })

  test.each<[string, TransparentHugepage, (mm: Mm) => Promise<unknown>]>([
    ['never', 'never', (mm) => anon(mm, 0, 512)],
    ['madvise, and nobody did', 'madvise', (mm) => anon(mm, 0, 512)],
    ['less than 2 MiB', 'always', (mm) => anon(mm, 0, 511)],
    ['not aligned', 'always', (mm) => anon(mm, 1, 512)],
    ['MADV_NOHUGEPAGE', 'always', async (mm) => { await anon(mm, 0, 512); await mm.madvise(page(0), pages(512), MADV_NOHUGEPAGE) }],
    ['a private file', 'always', (mm) => mapFile(mm, 0, 512, mm.memory.createFile({ name: 'f', size: pages(512) }), MAP_PRIVATE)],
    ['a table is there', 'always', async (mm) => { await written(mm); await mm.madvise(page(0), pages(511), MADV_DONTNEED); await mm.madvise(page(511), pages(1), MADV_DONTNEED) }],
  ])('maps a small page: %s', async (_, setting, map) => {
    const mm = hugeMm(setting)
    await map(mm)
    await poke(mm, 1, 1)
    expect([huge(mm, 1), entryOf(mm, 5)]).toEqual([false, 0])
  })

  test('where it was asked for; again, when all of it was discarded; for populate', async () => {
    const mm = hugeMm('madvise')
    await anon(mm, 0, 512)
    await mm.madvise(page(0), pages(512), MADV_HUGEPAGE)
    await poke(mm, 1, 1)
    expect(huge(mm, 1)).toBe(true)
    await mm.madvise(page(0), pages(512), MADV_DONTNEED)
    expect([entryOf(mm, 1), checkFrames(mm)]).toEqual([0, 1])
    let faults = 0
    mm.memory.kernel.on('mm:fault', () => { faults++ })
    await mm.madvise(page(0), pages(512), MADV_POPULATE_WRITE)
    expect([huge(mm, 1), faults]).toEqual([true, 1])
  })

  test('of a device shows that the page is huge, and asks for all of the piece', async () => {
    const mm = hugeMm()
    await anon(mm, 0, 512)
    const notifier = await mm.notifiers.insert({ start: page(0), last: page(512) - 1 }, { invalidate: async (it, _, seq) => { await it.setSeq(seq); return true } })
    const look = async (access: 'snapshot' | 'read' | 'write', requests?: number[]): Promise<unknown> => {
      const result = await mm.rangeFault({ notifier, seq: await notifier.readBegin(), start: page(10), end: page(13), access, ...(requests && { requests }) })
      return result === 'busy' ? result : Array.from(result.pfns, (pfn) => pfn & 15)
    }
    const faults: number[] = []
    mm.memory.kernel.on('mm:fault', (_, address) => { faults.push((address - page(0)) / pages(1)) })
    expect([await look('snapshot'), await look('read'), faults]).toEqual([[0, 0, 0], [9, 9, 9], [10, 11, 12]])
    expect(await look('snapshot', [0, 3, 0])).toEqual('busy') // the page at 10 was split off for the request about 11
    expect([await look('snapshot'), faults.slice(3), huge(mm, 0)]).toEqual([[3, 3, 3], [10, 11, 12], false])
  })
})

describe('what part of it is done to splits its entries first; it stays one page', () => {
  test.each<[string, (mm: Mm) => Promise<unknown>, string]>([
    ['munmap', (mm) => mm.munmap(page(2), pages(1)), 'clear 0-512, unmap 2-3'],
    ['munmap at the end', (mm) => mm.munmap(page(500), pages(12)), 'clear 0-512, unmap 500-512'],
    ['mmap over', (mm) => anon(mm, 0, 8), 'clear 0-512, unmap 0-8'],
    ['mprotect', (mm) => mm.mprotect(page(4), pages(2), PROT_READ), 'clear 0-512, protectionVma 4-6'],
    ['MADV_DONTNEED, inside its own event', (mm) => mm.madvise(page(3), pages(5), MADV_DONTNEED), 'clear 3-8, clear 0-512'],
    ['MADV_NOHUGEPAGE', (mm) => mm.madvise(page(3), pages(5), MADV_NOHUGEPAGE), 'clear 0-512'],
    ['shrinking', (mm) => mm.mremap(page(0), pages(512), pages(100), 0), 'clear 0-512, unmap 100-512'],
    ['moving', (mm) => mm.mremap(page(0), pages(8), pages(8), MOVE_TO, page(515)), 'unmap 0-8, clear 0-512, clear 0-512, unmap 0-8'],
  ])('%s', async (_, change, expected) => {
    const mm = await written(hugeMm())
    const head = frame(mm, 0)
    const events = await recordEvents(mm)
    await change(mm)
    expect([events(), huge(mm, 20), frame(mm, 20), mm.memory.frames.isCompound(head)]).toEqual([expected, false, head + 20, true])
    expect([await peek(mm, 20), checkFrames(mm)]).toEqual([1, 513])
    await mm.exit()
    expect(mm.memory.frames.used).toBe(1)
  })

  test.each<[string, (mm: Mm) => Promise<unknown>, string, boolean]>([
    ['munmap', (mm) => mm.munmap(page(0), pages(512)), 'unmap 0-512', false],
    ['mprotect', (mm) => mm.mprotect(page(0), pages(512), PROT_READ), 'protectionVma 0-512', true],
    ['MADV_DONTNEED', (mm) => mm.madvise(page(0), pages(512), MADV_DONTNEED), 'clear 0-512', false],
    ['MADV_FREE', (mm) => mm.madvise(page(0), pages(512), MADV_FREE), 'clear 0-512', true],
    ['MADV_COLD', (mm) => mm.madvise(page(0), pages(512), MADV_COLD), '', true],
    ['fork', (mm) => mm.fork('child'), 'protectionPage 0-512', true],
  ])('all of it needs no split: %s', async (_, change, expected, stays) => {
    const mm = await written(hugeMm())
    const events = await recordEvents(mm)
    await change(mm)
    expect([events(), huge(mm, 0), mm.memory.frames.used]).toEqual([expected, stays, stays ? 513 : 1])
  })

  test('an area that is split says so wherever a huge page could be, once there is a table', async () => {
    const mm = hugeMm()
    await anon(mm, 0, 1024)
    const events = await recordEvents(mm)
    await mm.mprotect(page(700), pages(1), PROT_READ)
    expect(events()).toBe('')
    await poke(mm, 3, 1)
    await mm.mprotect(page(100), pages(1), PROT_READ)
    expect(events()).toBe('clear 0-512, protectionVma 100-101')
    await mm.mprotect(page(702), pages(1), PROT_READ) // no room for one any more
    expect(events()).toBe('protectionVma 702-703')
  })

  test('mprotect keeps it huge: without access, and writable at once when it may be again', async () => {
    const mm = await written(hugeMm())
    await mm.mprotect(page(0), pages(512), PROT_NONE)
    expect([entryOf(mm, 9) & PTE_PRESENT, await outcome(peek(mm, 9))]).toEqual([0, 'EFAULT'])
    await mm.mprotect(page(0), pages(512), RW)
    expect([huge(mm, 9), writable(mm, 9), await peek(mm, 5)]).toEqual([true, true, 1])
  })
})

describe('fork', () => {
  test('shares the page; who writes splits its own entries and copies pages', async () => {
    const mm = await written(hugeMm())
    const child = await mm.fork('child')
    expect([huge(child, 0), writable(child, 0), writable(mm, 0), checkFrames(mm, child)]).toEqual([true, false, false, 513])
    const events = await recordEvents(mm)
    const childEvents = await recordEvents(child)
    await poke(mm, 5, 2)
    expect([events(), childEvents(), huge(mm, 0), huge(child, 0)]).toEqual(['clear 0-512, clear 5-6', '', false, true])
    expect([await peek(mm, 5), await peek(child, 5), mm.memory.frames.mappings(frame(mm, 6))]).toEqual([2, 1, 2])
    expect(checkFrames(mm, child)).toBe(514)
    await child.exit()
    await poke(mm, 6, 3) // nobody else has it, but it is part of a huge page
    expect([events(), mm.memory.frames.isCompound(frame(mm, 6)), checkFrames(mm)]).toEqual(['clear 6-7', false, 515])
    await mm.exit()
    expect(mm.memory.frames.used).toBe(1)
  })

  test('is over without a copy when the other has gone', async () => {
    const mm = await written(hugeMm())
    const child = await mm.fork('child')
    await mm.exit()
    const events = await recordEvents(child)
    const belongs = child.memory.frames.reverse(frame(child, 5))
    await poke(child, 5, 2)
    expect([events(), huge(child, 5), writable(child, 0), checkFrames(child)]).toEqual(['', true, true, 513])
    expect(child.memory.frames.reverse(frame(child, 5))).not.toBe(belongs)
    const grandchild = await child.fork('grandchild') // the page is the child's own now
    await poke(child, 5, 3)
    expect([await peek(grandchild, 5), checkFrames(child, grandchild)]).toEqual([2, 514])
  })

  test('of the last page of a huge one is over by a copy: the huge page can go then', async () => {
    const mm = await written(hugeMm())
    await mm.madvise(page(0), pages(5), MADV_DONTNEED)
    await mm.madvise(page(6), pages(506), MADV_DONTNEED)
    await (await mm.fork('child')).exit()
    const events = await recordEvents(mm)
    await poke(mm, 5, 2)
    expect([events(), checkFrames(mm)]).toEqual(['clear 5-6', 2])
  })

  test('of an empty table is one: the child maps small pages there as well', async () => {
    const mm = await written(hugeMm())
    await mm.madvise(page(0), pages(5), MADV_DONTNEED)
    await mm.madvise(page(5), pages(507), MADV_DONTNEED)
    const child = await mm.fork('child')
    await poke(child, 1, 1)
    expect(checkFrames(mm, child)).toBe(2)
  })

  test('of the huge zero page copies its entry too', async () => {
    const mm = hugeMm()
    await anon(mm, 0, 512)
    await peek(mm, 0)
    const events = await recordEvents(mm)
    const child = await mm.fork('child')
    expect([events(), frame(child, 4), checkFrames(mm, child)]).toEqual(['protectionPage 0-512', frame(mm, 4), 1])
    await child.exit()
  })
})

describe('mremap', () => {
  test('between aligned places moves it as it is', async () => {
    const mm = await written(hugeMm())
    const head = frame(mm, 0)
    const events = await recordEvents(mm)
    await mm.mremap(page(0), pages(512), pages(512), MOVE_TO, page(1024))
    expect([events(), huge(mm, 1024), frame(mm, 1029), await peek(mm, 1029)]).toEqual(['unmap 0-512, unmap 0-512', true, head + 5, 1])
    expect(checkFrames(mm)).toBe(513)
  })

  test('splits it when the new place is not aligned, and what is behind it stays whole', async () => {
    const mm = await written(hugeMm(), 1024)
    await poke(mm, 600, 1)
    const events = await recordEvents(mm)
    await mm.mremap(page(0), pages(1024), pages(1024), MOVE_TO | MREMAP_DONTUNMAP, page(2049))
    expect(events()).toBe('unmap 0-1024, clear 0-512, clear 512-1024')
    expect([await peek(mm, 2049), await peek(mm, 2054), await peek(mm, 2649), checkFrames(mm)]).toEqual([1, 1, 1, 1025])
  })

  test('a first table that nobody else uses moves as it is: it is announced from its start on', async () => {
    const mm = hugeMm()
    await anon(mm, 100, 500)
    await poke(mm, 101, 1)
    const events = await recordEvents(mm)
    await mm.mremap(page(100), pages(500), pages(500), MOVE_TO, page(1124))
    expect([events(), await peek(mm, 1125)]).toEqual(['unmap 0-600, unmap 100-600', 1])
    await anon(mm, 1100, 24)
    await mm.mremap(page(1124), pages(500), pages(500), MOVE_TO, page(100))
    expect(events()).toBe('unmap 1124-1624, unmap 1124-1624')
  })

  test('of a table that moved leaves none behind: the next fault maps a huge page', async () => {
    const mm = await written(hugeMm())
    await mm.madvise(page(0), pages(4), MADV_DONTNEED)
    await mm.mremap(page(0), pages(512), pages(512), MOVE_TO | MREMAP_DONTUNMAP, page(512))
    await poke(mm, 9, 2)
    expect([huge(mm, 9), huge(mm, 521), await peek(mm, 517), checkFrames(mm)]).toEqual([true, false, 1, 1025])
  })
})

test('whole huge pages of memory are mapped where they can be', async () => {
  const map = (mm: Mm, size: number): Promise<number> => mm.mmap(0, size, RW, MAP_PRIVATE | MAP_ANONYMOUS)
  const [always, never] = [hugeMm(), hugeMm('never')]
  expect([(await map(always, pages(1024))) % pages(512), (await map(never, pages(1024))) % pages(512)]).toEqual([0, pages(511)])
  expect((await map(always, pages(1023))) % pages(512)).not.toBe(0)
})
