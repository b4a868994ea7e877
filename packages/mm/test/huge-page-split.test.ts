import { describe, expect, test } from 'vitest'
import {
  frameOf, isHuge, MADV_COLD, MADV_DONTNEED, MADV_FREE, MAP_LOCKED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_NONE, PROT_READ,
  PTE_DEVICE_EXCLUSIVE, PTE_DEVICE_PRIVATE, specialKind, ZERO_FRAME, type Mm,
} from '../src/index.ts'
import { checkFrames } from './check-frames.ts'
import { TestDevice } from './device-pages.ts'
import { anon, machine, outcome, page, pages, peek, poke, recordEvents, RW } from './helpers.ts'

const kind = (mm: Mm, n: number): number => specialKind(mm.pageTable.get(page(n)))
const frame = (mm: Mm, n: number): number => frameOf(mm.pageTable.get(page(n)))
const huge = (mm: Mm, n: number): boolean => isHuge(mm.pageTable.get(page(n)))

/** A huge page at 0..512 with 1 in its pages 0, 1, 2, 5 and 20; all else is zeros. */
async function written(areaPages = 512): Promise<Mm> {
  const mm = machine({ transparentHugepage: 'always' }).createMm('mm')
  await anon(mm, 0, areaPages)
  for (const n of [0, 1, 2, 5, 20]) await poke(mm, n, 1)
  return mm
}

async function take(mm: Mm, first: number, count: number): Promise<boolean[]> {
  return mm.mmapRead(async () => {
    const taken = await mm.makeDeviceExclusive(page(first), page(first + count))
    await taken.release()
    return Array.from(taken.frames, (one) => one !== 0)
  })
}

describe('migration splits the page itself', () => {
  test('into small ones; zeros become the zero page; the rest stays where it was', async () => {
    const mm = await written()
    const device = new TestDevice(mm.memory)
    const head = frame(mm, 0)
    const events = await recordEvents(mm)
    expect(await device.take(mm, 0, 4)).toEqual([true, true, true, true])
    expect(events()).toBe('migrate 0-4, clear 0-512, clear 0-512, migrate 3-4')
    expect([0, 3].map((n) => kind(mm, n))).toEqual([PTE_DEVICE_PRIVATE, PTE_DEVICE_PRIVATE])
    expect([frame(mm, 5), frame(mm, 6), mm.memory.frames.isCompound(head + 5)]).toEqual([head + 5, ZERO_FRAME, false])
    expect([await peek(mm, 0), await peek(mm, 5), checkFrames(mm)]).toEqual([1, 1, 1 + 5 + 1])
    await mm.exit()
    expect([mm.memory.frames.used, device.free.length]).toEqual([1, 16])
  })

  test('in every address space that maps it', async () => {
    const mm = await written()
    const device = new TestDevice(mm.memory)
    const child = await mm.fork('child')
    const events = await recordEvents(child)
    expect(await device.take(mm, 5, 1)).toEqual([true])
    expect(events()).toBe('clear 0-512, clear 0-512, clear 5-6')
    expect([kind(child, 5), frame(child, 2), frame(child, 9)]).toEqual([PTE_DEVICE_PRIVATE, frame(mm, 2), ZERO_FRAME])
    expect(checkFrames(mm, child)).toBe(1 + 5)
    await poke(child, 2, 9)
    expect([await peek(mm, 2), await peek(child, 5), await peek(mm, 5)]).toEqual([1, 1, 1])
  })

  test('not if somebody uses it: it stays huge, and where it is', async () => {
    const mm = await written()
    const device = new TestDevice(mm.memory)
    const head = frame(mm, 0)
    const events = await recordEvents(mm)
    mm.memory.frames.get(head + 3) // a reference to one is a reference to all
    expect([await device.take(mm, 5, 2), huge(mm, 5), events()]).toEqual([[false, false], true, 'migrate 5-7'])
    mm.memory.frames.put(head + 3)
    expect(mm.memory.frames.tryLock(head)).toBe(true)
    expect([await device.take(mm, 5, 2), events()]).toEqual([[false, false], 'migrate 5-7'])
    mm.memory.frames.unlock(head + 7)
    expect([await device.take(mm, 5, 2), checkFrames(mm)]).toEqual([[true, true], 1 + 6])
  })

  test('of the huge zero page splits its entries only', async () => {
    const mm = machine({ transparentHugepage: 'always' }).createMm('mm')
    await anon(mm, 0, 512)
    await peek(mm, 0)
    const events = await recordEvents(mm)
    expect(await new TestDevice(mm.memory).take(mm, 8, 2)).toEqual([true, true])
    expect([events(), frame(mm, 0)]).toEqual(['migrate 8-10, clear 0-512, migrate 8-10', ZERO_FRAME])
  })

  test('pages of a huge one whose entries were split stay', async () => {
    const mm = await written()
    const device = new TestDevice(mm.memory)
    await mm.madvise(page(8), pages(1), MADV_DONTNEED)
    const events = await recordEvents(mm)
    expect(await device.take(mm, 5, 4)).toEqual([false, false, false, true])
    expect(events()).toBe('migrate 5-9, migrate 8-9')
    expect(mm.memory.frames.isCompound(frame(mm, 5))).toBe(true)
  })

  test('not even the last of them', async () => {
    const mm = await written()
    await mm.madvise(page(0), pages(5), MADV_DONTNEED)
    await mm.madvise(page(6), pages(506), MADV_DONTNEED)
    expect([await new TestDevice(mm.memory).take(mm, 5, 1), checkFrames(mm)]).toEqual([[false], 513])
  })

  test('leaves another huge page alone that is where the page was', async () => {
    const mm = await written(1024)
    await mm.mremap(page(0), pages(512), pages(512), MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, page(2048))
    await poke(mm, 9, 2)
    const events = await recordEvents(mm)
    expect(await new TestDevice(mm.memory).take(mm, 2050, 1)).toEqual([true])
    expect(events()).toBe('migrate 2050-2051, clear 0-512, clear 0-512, clear 2048-2560, clear 2048-2560')
    expect([huge(mm, 9), await peek(mm, 9), await peek(mm, 2053), checkFrames(mm)]).toEqual([true, 2, 1, 1 + 512 + 5])
  })

  test('zeros are what the area allows; they stay pages where it is locked into memory', async () => {
    const mm = await written(1024)
    const device = new TestDevice(mm.memory)
    await mm.mprotect(page(0), pages(512), PROT_NONE)
    expect([await device.take(mm, 5, 1), await outcome(peek(mm, 6)), frame(mm, 6)]).toEqual([[true], 'EFAULT', ZERO_FRAME])
    await anon(mm, 512, 512, RW, MAP_LOCKED)
    const head = frame(mm, 512)
    expect([await device.take(mm, 600, 1), frame(mm, 601), checkFrames(mm)]).toEqual([[true], head + 89, 1 + 5 + 512])
  })

  test('a split finds what has been moved away from the rest', async () => {
    const mm = await written(1024)
    const child = await mm.fork('child')
    await child.mremap(page(0), pages(3), pages(3), MREMAP_MAYMOVE | MREMAP_FIXED, page(2050))
    await child.munmap(page(500), pages(12))
    const events = await recordEvents(child)
    expect(await new TestDevice(mm.memory).take(mm, 1, 1)).toEqual([true])
    expect(events()).toBe('clear 2048-2560, clear 2050-2053, clear 0-512, clear 3-500, clear 2051-2052')
    expect([await peek(child, 2050), await peek(child, 5), checkFrames(mm, child)]).toEqual([1, 1, 1 + 5])
  })
})

describe('advice about a part of it', () => {
  test.each<[string, number, string]>([
    ['MADV_FREE', MADV_FREE, 'clear 5-9, clear 0-512, clear 0-512'],
    ['MADV_COLD', MADV_COLD, 'clear 0-512, clear 0-512'],
  ])('%s splits the page', async (_, advice, expected) => {
    const mm = await written()
    const events = await recordEvents(mm)
    await mm.madvise(page(5), pages(4), advice)
    expect([events(), await peek(mm, 5), frame(mm, 6), checkFrames(mm)]).toEqual([expected, 1, ZERO_FRAME, 6])
  })

  test('does so when its entries are split already, but not when others share it', async () => {
    const mm = await written()
    await mm.madvise(page(9), pages(1), MADV_DONTNEED)
    const child = await mm.fork('child')
    await mm.madvise(page(0), pages(30), MADV_FREE)
    expect(mm.memory.frames.isCompound(frame(mm, 5))).toBe(true)
    await child.exit()
    await mm.madvise(page(0), pages(30), MADV_FREE)
    expect([mm.memory.frames.isCompound(frame(mm, 5)), checkFrames(mm)]).toEqual([false, 6])
  })
})

describe('exclusive access', () => {
  test('is had to all of it, by its head alone', async () => {
    const mm = await written()
    const events = await recordEvents(mm)
    expect(await take(mm, 0, 3)).toEqual([true, false, false])
    expect(events()).toBe('clear 0-512, exclusive 0-512')
    expect([0, 1, 511].map((n) => kind(mm, n))).toEqual([PTE_DEVICE_EXCLUSIVE, PTE_DEVICE_EXCLUSIVE, PTE_DEVICE_EXCLUSIVE])
    expect(checkFrames(mm)).toBe(513)
    expect(await peek(mm, 5)).toBe(1)
    expect([events(), kind(mm, 4), kind(mm, 5), checkFrames(mm)]).toEqual(['exclusive 5-6', PTE_DEVICE_EXCLUSIVE, 0, 513])
    await mm.exit()
    expect(mm.memory.frames.used).toBe(1)
  })

  test('cannot be had again while the CPU has a page behind one that is exclusive', async () => {
    const mm = await written()
    await take(mm, 0, 1)
    expect(await take(mm, 0, 1)).toEqual([true])
    await peek(mm, 5)
    expect([await take(mm, 0, 1), kind(mm, 0), kind(mm, 5)]).toEqual([[false], PTE_DEVICE_EXCLUSIVE, 0])
  })

  test('a page behind the head is not had, and nobody is told', async () => {
    const mm = await written()
    await mm.madvise(page(9), pages(1), MADV_DONTNEED)
    const events = await recordEvents(mm)
    expect([await take(mm, 1, 1), events(), kind(mm, 1)]).toEqual([[false], '', 0])
  })

  test('is announced as long as the page, even where an area begins within it', async () => {
    const mm = await written(1024)
    await mm.mprotect(page(100), pages(924), PROT_READ)
    const events = await recordEvents(mm)
    expect([await take(mm, 0, 1), events()]).toEqual([[true], 'exclusive 0-100, exclusive 100-612'])
  })

  test('a read-only area is left alone', async () => {
    const mm = await written()
    await mm.mprotect(page(0), pages(512), PROT_READ)
    const events = await recordEvents(mm)
    expect([await take(mm, 0, 1), huge(mm, 0), events()]).toEqual([[], true, ''])
  })

  test('the page does not migrate meanwhile', async () => {
    const mm = await written()
    await take(mm, 0, 1)
    await peek(mm, 5)
    expect(await new TestDevice(mm.memory).take(mm, 4, 2)).toEqual([false, false])
    expect(checkFrames(mm)).toBe(513)
  })
})
