import { describe, expect, test } from 'vitest'
import {
  MADV_DONTFORK, MADV_DONTNEED, MAP_GROWSDOWN, MREMAP_FIXED, MREMAP_MAYMOVE, PAGE_SIZE, PFN_ERROR, PROT_NONE, PROT_READ, PROT_WRITE, type Mm, type VmFile,
} from '../src/index.ts'
import { TestDevice } from './device-pages.ts'
import { anon, bytes, machine, mapFile, newMm, outcome, page, pages, pick, poke, random, RW, sharedAnon } from './helpers.ts'

const COUNT = 24

describe('lookRange', () => {
  async function snapshot(mm: Mm, owner: unknown): Promise<Int32Array> {
    const ops = { invalidate: async (): Promise<boolean> => Promise.resolve(true) }
    const notifier = await mm.notifiers.insert({ start: page(0), last: page(COUNT) - 1 }, ops)
    try {
      const seq = await notifier.readBegin()
      const found = await mm.rangeFault({ notifier, seq, start: page(0), end: page(COUNT), access: 'snapshot', owner })
      if (found === 'busy') throw new Error('nothing runs beside')
      return found.pfns
    } finally {
      await notifier.remove()
    }
  }

  test.each(Array.from({ length: 40 }, (_, seed) => [seed]))('says what a snapshot says: seed %i', async (seed) => {
    const draw = random(seed)
    const memory = machine()
    const mm = memory.createMm('mm')
    const devices = [new TestDevice(memory), new TestDevice(memory)]
    const actions = [
      (first: number, count: number) => anon(mm, first, count, pick(draw, [RW, RW, PROT_READ, PROT_WRITE, PROT_NONE])),
      (first: number, count: number) => sharedAnon(mm, first, count),
      (first: number, count: number) => mm.munmap(page(first), pages(count)),
      (first: number, count: number) => mm.mprotect(page(first), pages(count), pick(draw, [RW, PROT_READ, PROT_WRITE, PROT_NONE])),
      (first: number, count: number) => mm.madvise(page(first), pages(count), MADV_DONTNEED),
      (first: number) => poke(mm, first, 1),
      (first: number) => mm.read(page(first), 1),
      (first: number, count: number) => pick(draw, devices).take(mm, first, Math.min(count, 4)),
      async (first: number, count: number) => { await mm.mmapRead(() => mm.makeDeviceExclusive(page(first), page(first + count), devices[0])) },
    ]
    for (let i = 0; i < 30; i++) {
      const first = draw(COUNT)
      await outcome(pick(draw, actions)(first, 1 + draw(COUNT - first)).catch((error: unknown) => {
        if ((error as { signal?: unknown }).signal === undefined) throw error
      }))
      const pfns = new Int32Array(COUNT)
      for (const owner of devices) {
        mm.lookRange(page(0), pfns, owner)
        expect(pfns).toEqual(await snapshot(mm, owner))
      }
    }
  })

  test('fills all of the array, holes too, and takes whole pages', async () => {
    const mm = newMm()
    await anon(mm, 1, 1)
    const pfns = new Int32Array(3).fill(7)
    mm.lookRange(page(0), pfns)
    expect([...pfns]).toEqual([PFN_ERROR, 0, PFN_ERROR])
    expect(() => { mm.lookRange(page(0) + 1, pfns) }).toThrow('page aligned')
  })
})

describe('access', () => {
  test('ends in a signal, tells where, and has done what is before', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    await anon(mm, 1, 1, PROT_READ)
    expect(await mm.access('write', page(1) - 2, bytes(1, 2, 3))).toEqual({ signal: 'SIGSEGV', code: 2, address: page(1) })
    expect([...(await mm.read(page(1) - 2, 2))]).toEqual([1, 2])
    expect(await mm.access('read', page(2) - 1, bytes(0, 0))).toEqual({ signal: 'SIGSEGV', code: 1, address: page(2) })
    expect(await mm.access('read', page(2) + 5, bytes(0))).toEqual({ signal: 'SIGSEGV', code: 1, address: page(2) + 5 })
    expect(await mm.access('write', page(0), bytes(4))).toBe(undefined)
  })
})

test('a frame that is used again is zero beside what is written', () => {
  const { frames } = machine()
  const frame = frames.allocate()
  frames.write(frame, 0, new Uint8Array(PAGE_SIZE).fill(255))
  frames.put(frame)
  const again = frames.allocate()
  expect(again).toBe(frame)
  frames.write(again, 100, bytes(1))
  const found = new Uint8Array(PAGE_SIZE)
  frames.readInto(again, 0, found)
  expect([found.findIndex((byte) => byte !== 0), found.filter((byte) => byte !== 0).length]).toEqual([100, 1])
})

describe('areasVersion', () => {
  const changes: [string, (mm: Mm) => Promise<unknown>][] = [
    ['mmap', (mm) => anon(mm, 10, 2)],
    ['mmap that joins its neighbour', (mm) => anon(mm, 4, 1)],
    ['munmap', (mm) => mm.munmap(page(1), pages(1))],
    ['mprotect', (mm) => mm.mprotect(page(0), pages(4), PROT_READ)],
    ['mremap', (mm) => mm.mremap(page(0), pages(2), pages(2), MREMAP_MAYMOVE | MREMAP_FIXED, page(16))],
    ['madvise of flags', (mm) => mm.madvise(page(0), pages(2), MADV_DONTFORK)],
    ['brk', async (mm) => mm.brk((await mm.brk(0)) + PAGE_SIZE)],
    ['a stack that grows by a fault', (mm) => mm.write(page(599), new Uint8Array(1))],
    ['growStack', (mm) => mm.growStack(page(598))],
    ['userfaultfd', (mm) => mm.userfaultfd().register(page(0), pages(2))],
    ['the end', (mm) => mm.exit()],
  ]

  async function mapped(): Promise<[Mm, VmFile]> {
    const memory = machine()
    const mm = memory.createMm('mm')
    const file = memory.createFile({ name: 'file', size: pages(8) })
    await anon(mm, 0, 4)
    await anon(mm, 600, 2, RW, MAP_GROWSDOWN)
    await mapFile(mm, 20, 4, file)
    return [mm, file]
  }
  const look = (mm: Mm): object[] => Array.from(mm.vmas(), ({ start, end, flags }) => ({ start, end, flags }))

  test.each(changes)('is another one after %s', async (_, change) => {
    const [mm] = await mapped()
    const before = [mm.areasVersion, look(mm)] as const
    await change(mm)
    expect(look(mm)).not.toEqual(before[1])
    expect(mm.areasVersion).not.toBe(before[0])
  })

  test('is another one when the call fails half way', async () => {
    const [mm] = await mapped()
    const before = [mm.areasVersion, look(mm)] as const
    expect(await outcome(mm.mprotect(page(2), pages(4), PROT_READ))).toBe('ENOMEM')
    expect(look(mm)).not.toEqual(before[1])
    expect(mm.areasVersion).not.toBe(before[0])
  })

  test('is the same after faults, and what only frees pages', async () => {
    const [mm, file] = await mapped()
    const { areasVersion } = mm
    await mm.write(page(0), new Uint8Array(3 * PAGE_SIZE))
    await mm.read(page(20), PAGE_SIZE)
    await mm.madvise(page(0), pages(2), MADV_DONTNEED)
    await file.truncate(0)
    expect(mm.areasVersion).toBe(areasVersion)
  })
})
