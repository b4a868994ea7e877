import { describe, expect, test } from 'vitest'
import { MADV_DONTNEED, PAGE_SIZE, PFN_ERROR, PROT_NONE, PROT_READ, PROT_WRITE, type Mm } from '../src/index.ts'
import { TestDevice } from './device-pages.ts'
import { anon, bytes, machine, newMm, outcome, page, pages, pick, poke, random, RW, sharedAnon } from './helpers.ts'

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
