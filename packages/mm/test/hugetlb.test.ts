import { createKernel } from '@mmu-notifier/kernel'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  HUGE_PAGE_SIZE, MADV_DONTNEED, MAP_ANONYMOUS, MAP_HUGETLB, MAP_PRIVATE, MAP_SHARED, PAGE_SIZE, PFN_HUGE, PFN_SHIFT, PFN_VALID, PFN_WRITE, PhysicalMemory, PROT_READ,
  PROT_WRITE, type Mm,
} from '../src/index.ts'

const HUGE = HUGE_PAGE_SIZE / PAGE_SIZE

let memory: PhysicalMemory
let mm: Mm
let at: number
const events: string[] = []

beforeEach(async () => {
  memory = new PhysicalMemory(createKernel())
  mm = memory.createMm('mm')
  at = await map(MAP_PRIVATE)
  events.length = 0
  memory.kernel.on('mmu_notifier:range_start', ({ event, start, end }) => { events.push(`${event} ${(start - at) / HUGE_PAGE_SIZE} ${(end - at) / HUGE_PAGE_SIZE}`) })
})

const map = (flags: number): Promise<number> => mm.mmap(0, 2 * HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_HUGETLB)
const frames = (): number => memory.frames.used - 1

async function code(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => 'done', (error: unknown) => (error as { code?: unknown }).code)
}

/** The bits of each page, where all are alike. */
function bits(): number {
  const pfns = new Int32Array(HUGE)
  mm.lookRange(at, pfns)
  const all = new Set(pfns.map((pfn) => pfn & ((1 << PFN_SHIFT) - 1)))
  expect(all.size).toBe(1)
  return [...all][0] ?? -1
}

describe('a page of MAP_HUGETLB', () => {
  test('comes as a whole, also by a read, and becomes writable as a whole', async () => {
    expect((await mm.read(at + 5 * PAGE_SIZE, 1))[0]).toBe(0)
    expect([frames(), bits()]).toEqual([HUGE, PFN_VALID | PFN_HUGE])
    await mm.write(at + 7 * PAGE_SIZE, Uint8Array.of(7))
    expect([frames(), bits(), events]).toEqual([HUGE, PFN_VALID | PFN_WRITE | PFN_HUGE, []])
  })

  test('is copied as a whole, inside an invalidation of all of it', async () => {
    await mm.write(at + PAGE_SIZE, Uint8Array.of(7))
    const child = await mm.fork('child')
    expect(bits()).toBe(PFN_VALID | PFN_HUGE)
    events.length = 0
    await mm.write(at + 9 * PAGE_SIZE, Uint8Array.of(8))
    expect([events, frames(), bits()]).toEqual([['clear 0 1'], 2 * HUGE, PFN_VALID | PFN_WRITE | PFN_HUGE])
    expect([(await mm.read(at + PAGE_SIZE, 1))[0], (await child.read(at + 9 * PAGE_SIZE, 1))[0]]).toEqual([7, 0])
    await child.write(at, Uint8Array.of(1))
    expect([events.length, frames()]).toEqual([1, 2 * HUGE])
    await child.exit()
    expect(frames()).toBe(HUGE)
  })

  test('goes as a whole: inside of one nothing is unmapped, protected, discarded, or moved to a device', async () => {
    await mm.write(at, new Uint8Array(2 * HUGE_PAGE_SIZE).fill(1))
    expect(await code(mm.munmap(at + PAGE_SIZE, HUGE_PAGE_SIZE))).toBe('EINVAL')
    expect(await code(mm.mprotect(at, PAGE_SIZE, PROT_READ))).toBe('EINVAL')
    expect(await code(mm.madvise(at + PAGE_SIZE, HUGE_PAGE_SIZE, MADV_DONTNEED))).toBe('EINVAL')
    expect(await code(mm.mmapRead(() => mm.migrateVma({ start: at, end: at + PAGE_SIZE, owner: 1, select: 'system' })))).toBe('EINVAL')
    expect([events, frames()]).toEqual([[], 2 * HUGE])
    await mm.madvise(at, HUGE_PAGE_SIZE + PAGE_SIZE, MADV_DONTNEED)
    expect([events, frames()]).toEqual([['clear 0 1'], HUGE])
    await mm.munmap(at, HUGE_PAGE_SIZE)
    expect([...mm.vmas()].map(({ start, end }) => [start - at, end - at])).toEqual([[HUGE_PAGE_SIZE, 2 * HUGE_PAGE_SIZE]])
    await mm.munmap(at + HUGE_PAGE_SIZE, HUGE_PAGE_SIZE)
    expect(frames()).toBe(0)
  })

  test('is the same page for all, where it is shared', async () => {
    const shared = await map(MAP_SHARED)
    const child = await mm.fork('child')
    await mm.write(shared + 3 * PAGE_SIZE, Uint8Array.of(3))
    expect([(await child.read(shared + 3 * PAGE_SIZE, 1))[0], frames()]).toEqual([3, HUGE])
    await child.exit()
    await mm.exit()
    expect(frames()).toBe(0)
  })
})
