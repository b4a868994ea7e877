import { expect, test } from 'vitest'
import {
  MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_NORESERVE, MAP_PRIVATE, MMAP_BASE, PAGE_SIZE, PROT_NONE, PROT_READ, type Mm,
} from '../src/index.ts'
import { maps, newMm, outcome, page, pages, poke, random, RW } from './helpers.ts'

const ANON = MAP_PRIVATE | MAP_ANONYMOUS
const TIB = 2 ** 40

test('a reservation of 1 TiB costs nothing until it is used', async () => {
  const mm = newMm()
  const start = await mm.mmap(0, TIB, PROT_NONE, ANON | MAP_NORESERVE)
  const empty = mm.pageTable.byteLength
  await mm.mprotect(start + TIB / 2, pages(16), RW)
  await mm.write(start + TIB / 2, Uint8Array.of(1))
  expect(mm.pageTable.byteLength).toBeLessThan(empty + 5 * PAGE_SIZE)
  await mm.madvise(start, TIB, MADV_DONTNEED)
  await mm.mprotect(start, TIB, PROT_READ)
  await (await mm.fork('child')).exit()
  await mm.munmap(start, TIB)
  expect([mm.pageTable.byteLength, mm.memory.frames.used]).toEqual([empty, 1])
})

test('12,000 areas: made, looked up, changed, copied, unmapped', async () => {
  const mm = newMm()
  const count = 12000
  const starts: number[] = []
  for (let i = 0; i < count; i++) starts.push(await mm.mmap(0, PAGE_SIZE, i % 2 ? PROT_READ : RW, ANON))
  expect([...mm.vmas()].length).toBe(count)
  expect(starts[count - 1]).toBe(MMAP_BASE - pages(count))
  for (let i = 0; i < count; i += 3) await mm.munmap(starts[i] ?? 0, PAGE_SIZE)
  for (let i = 0; i < count; i += 3) expect(await mm.mmap(0, PAGE_SIZE, i % 2 ? PROT_READ : RW, ANON)).toBe(starts[i])
  const low = starts[count - 1] ?? 0
  await mm.write(low + PAGE_SIZE, Uint8Array.of(1))
  const child = await mm.fork('child')
  await mm.mprotect(low, pages(count), PROT_READ)
  expect(maps(mm)).toMatch(/^\S+ r--p$/)
  expect([...mm.vmas()].length).toBeLessThanOrEqual(3) // the page that was written keeps its area apart
  expect([...child.vmas()].length).toBe(count)
  await mm.exit()
  await child.exit()
  expect(mm.memory.frames.used).toBe(1)
})

test('100,000 pages faulted in and read back by a device', async () => {
  const mm = newMm()
  const count = 100_000
  await mm.mmap(page(0), pages(count), RW, ANON | MAP_FIXED)
  const notifier = await mm.insertOverVma(page(0), { invalidate: async (it, _, seq) => { await it.setSeq(seq); return true } })
  const seq = await notifier.readBegin()
  const result = await mm.rangeFault({ notifier, seq, start: page(0), end: page(count), access: 'write' })
  expect(result !== 'busy' && new Set(result.pfns).size).toBe(count)
  await mm.exit()
  expect(mm.memory.frames.used).toBe(1)
})

/** The highest hole below the base, by looking at every page. */
function highestHole(mm: Mm, window: number, length: number): number {
  const taken = new Set<number>()
  for (const { start, end } of mm.vmas()) for (let at = start; at < end; at += PAGE_SIZE) taken.add((MMAP_BASE - at) / PAGE_SIZE)
  for (let below = length; below < 2 * window; below++) {
    if (Array.from({ length }, (_, i) => below - i).every((n) => !taken.has(n))) return MMAP_BASE - pages(below)
  }
  throw new Error('the window is too small')
}

test.each([1, 2, 3, 4, 5])('mmap without an address takes the highest hole that fits, seed %d', async (seed) => {
  const draw = random(seed)
  const mm = newMm()
  const window = 120
  for (let step = 0; step < 300; step++) {
    const at = MMAP_BASE - pages(1 + draw(window))
    const length = 1 + draw(6)
    const choice = draw(9)
    if (choice < 3) await outcome(mm.munmap(at, pages(length)))
    else if (choice < 5) await mm.mmap(Math.min(at, MMAP_BASE - pages(length)), pages(length), PROT_NONE, ANON | MAP_FIXED)
    else {
      const expected = highestHole(mm, 400, length)
      expect(await mm.mmap(0, pages(length), draw(2) ? RW : PROT_READ, ANON), `seed ${seed} step ${step}`).toBe(expected)
    }
  }
})

test('the first write after a large fork copies one page', async () => {
  const mm = newMm()
  await mm.mmap(page(0), pages(5000), RW, ANON | MAP_FIXED)
  await mm.write(page(0), new Uint8Array(pages(5000)).fill(1))
  const child = await mm.fork('child')
  expect(mm.memory.frames.used).toBe(5001)
  await poke(child, 4000, 2)
  expect(mm.memory.frames.used).toBe(5002)
})
