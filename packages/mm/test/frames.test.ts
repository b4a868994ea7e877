import { createKernel } from '@mmu-notifier/kernel'
import { describe, expect, test } from 'vitest'
import { PAGE_SIZE, PhysicalMemory, ZERO_FRAME, type FrameTable } from '../src/index.ts'
import { AreaTree } from '../src/area-tree.ts'
import { bytes } from './helpers.ts'

function table(): { frames: FrameTable; events: string[] } {
  const kernel = createKernel()
  const events: string[] = []
  kernel.on('mm:frame_alloc', (frame) => events.push(`alloc ${frame}`))
  kernel.on('mm:frame_free', (frame) => events.push(`free ${frame}`))
  return { frames: new PhysicalMemory(kernel).frames, events }
}

test('a frame lives as long as its references, and its number is the next to be given out', () => {
  const { frames, events } = table()
  const [a, b] = [frames.allocate(), frames.allocate()]
  expect(frames.used).toBe(3)
  frames.get(a)
  frames.put(a)
  frames.put(b)
  frames.put(a)
  expect(frames.used).toBe(1)
  expect(frames.allocate()).toBe(a)
  expect(frames.allocate()).toBe(b)
  expect(events).toEqual([`alloc ${a}`, `alloc ${b}`, `free ${b}`, `free ${a}`, `alloc ${a}`, `alloc ${b}`])
})

test('mappings hold references and are counted apart', () => {
  const { frames } = table()
  const frame = frames.allocate()
  frames.addMapping(frame)
  frames.addMapping(frame)
  expect([frames.references(frame), frames.mappings(frame)]).toEqual([3, 2])
  frames.put(frame)
  frames.removeMapping(frame)
  frames.removeMapping(frame)
  expect([frames.references(frame), frames.mappings(frame)]).toEqual([0, 0])
})

test('a put too many under a mapping is an error: page-table entries would point to a free frame', () => {
  const { frames } = table()
  const frame = frames.allocate()
  frames.addMapping(frame)
  frames.put(frame)
  expect(() => { frames.put(frame) }).toThrow(`UAF  the last put of frame ${frame}, which 1 page-table entries map`)
})

test.each<[string, (frames: FrameTable, frame: number) => void]>([
  ['get', (frames, frame) => { frames.get(frame) }],
  ['put', (frames, frame) => { frames.put(frame) }],
  ['read', (frames, frame) => frames.read(frame, 0, 1)],
  ['read', (frames, frame) => { frames.readInto(frame, 0, bytes(1)) }],
  ['write', (frames, frame) => { frames.write(frame, 0, bytes(1)) }],
  ['clear', (frames, frame) => { frames.clear(frame) }],
  ['copy', (frames, frame) => { frames.copy(frame, frame) }],
  ['unmap', (frames, frame) => { frames.removeMapping(frame) }],
])('%s of a free frame names it', (what, use) => {
  const { frames } = table()
  const frame = frames.allocate()
  frames.put(frame)
  expect(() => { use(frames, frame) }).toThrow(`UAF  ${what} of frame ${frame}, which is free, by task main`)
})

test.each([-1, 1, 0.5, 2 ** 40, NaN])('%d is no frame', (frame) => {
  const { frames } = table()
  expect(() => { frames.get(frame) }).toThrow(RangeError)
  expect(() => frames.references(frame)).toThrow(RangeError)
})

test('bytes: zeros at first, kept, copied, zeros again after reuse', () => {
  const { frames } = table()
  const [a, b] = [frames.allocate(), frames.allocate()]
  expect(frames.read(a, 0, PAGE_SIZE)).toEqual(new Uint8Array(PAGE_SIZE))
  frames.write(a, PAGE_SIZE - 2, bytes(1, 2))
  frames.copy(a, b)
  frames.write(a, PAGE_SIZE - 1, bytes(3))
  expect([frames.read(a, PAGE_SIZE - 2, 2), frames.read(b, PAGE_SIZE - 2, 2)]).toEqual([bytes(1, 3), bytes(1, 2)])
  frames.put(a)
  const again = frames.allocate()
  expect(again).toBe(a)
  const out = bytes(9, 9)
  frames.readInto(again, PAGE_SIZE - 2, out)
  expect(out).toEqual(bytes(0, 0))
  frames.copy(again, b)
  expect(frames.read(b, PAGE_SIZE - 2, 2)).toEqual(bytes(0, 0))
})

test.each([[-1, 1], [0, PAGE_SIZE + 1], [PAGE_SIZE, 1], [0.5, 1]])('offset %d, length %d do not fit', (offset, length) => {
  const { frames } = table()
  const frame = frames.allocate()
  expect(() => frames.read(frame, offset, length)).toThrow(RangeError)
  expect(() => { frames.write(frame, offset, new Uint8Array(length)) }).toThrow(RangeError)
})

test('the zero page is never freed nor written', () => {
  const { frames, events } = table()
  frames.put(ZERO_FRAME)
  frames.addMapping(ZERO_FRAME)
  frames.removeMapping(ZERO_FRAME)
  frames.removeMapping(ZERO_FRAME)
  expect(frames.read(ZERO_FRAME, 0, 2)).toEqual(bytes(0, 0))
  expect(() => { frames.write(ZERO_FRAME, 0, bytes(1)) }).toThrow('write to the zero page')
  expect([frames.used, events]).toEqual([1, []])
})

test('grows past its first thousand frames', () => {
  const { frames } = table()
  const taken = Array.from({ length: 5000 }, () => frames.allocate())
  expect(new Set(taken).size).toBe(5000)
  for (const frame of taken) frames.put(frame)
  expect(frames.used).toBe(1)
})

describe('a huge page', () => {
  test('is 512 frames in a row from an aligned one on, with one count of references', () => {
    const { frames, events } = table()
    frames.allocate()
    const head = frames.allocateHuge()
    expect([head % 512, frames.used, frames.head(head + 511), frames.isCompound(head + 511), frames.isCompound(head - 1)]).toEqual([0, 514, head, true, false])
    frames.get(head + 7)
    frames.addMapping(head + 5)
    expect([frames.references(head), frames.references(head + 9), frames.mappings(head + 5), frames.mappings(head)]).toEqual([3, 3, 1, 0])
    frames.write(head + 5, 0, bytes(8))
    frames.removeMapping(head + 5)
    frames.put(head)
    expect(events.filter((event) => event.startsWith('free'))).toEqual([])
    frames.put(head + 2)
    expect(events.filter((event) => event.startsWith('free'))).toHaveLength(512)
    expect(() => { frames.get(head + 7) }).toThrow(`UAF  get of frame ${head + 7}, which is free`)
    expect([frames.used, frames.allocateHuge(), frames.read(head + 5, 0, 1)]).toEqual([2, head, bytes(0)])
  })

  test('counts who maps all of it, and who maps one frame', () => {
    const { frames } = table()
    const head = frames.allocateHuge()
    frames.addHugeMapping(head)
    frames.addHugeMapping(head)
    expect([frames.mappings(head + 3), frames.folioMappings(head + 3), frames.references(head), frames.likelyMappedShared(head)]).toEqual([2, 2, 3, true])
    frames.splitHugeMapping(head)
    expect([frames.mappings(head + 3), frames.folioMappings(head), frames.references(head)]).toEqual([2, 513, 514])
    frames.removeHugeMapping(head)
    expect([frames.mappings(head + 3), frames.folioMappings(head), frames.likelyMappedShared(head)]).toEqual([1, 512, false])
    frames.put(head)
    frames.removeMapping(head + 1)
    frames.addMapping(head)
    expect(frames.likelyMappedShared(head)).toBe(true)
    frames.removeMapping(head)
    for (let i = 0; i < 511; i++) if (i !== 1) frames.removeMapping(head + i)
    frames.removeMapping(head + 511)
    expect(frames.used).toBe(1)
  })

  test('is not freed while an entry maps it', () => {
    const { frames } = table()
    const head = frames.allocateHuge()
    frames.addHugeMapping(head)
    frames.put(head)
    expect(() => { frames.put(head + 1) }).toThrow(`UAF  the last put of huge page ${head}, which 1 page-table entries map`)
  })

  test('has one lock; is split into frames that are freed one by one, with what they belong to', () => {
    const { frames } = table()
    const head = frames.allocateHuge()
    const reverse = frames.reverse(head) ?? { anonymous: true, areas: new AreaTree() }
    frames.setHugeReverse(head, reverse, 1000)
    expect([frames.tryLock(head + 4), frames.tryLock(head), frames.isLocked(head + 9)]).toEqual([true, false, true])
    frames.unlock(head + 1)
    frames.splitCompound(head)
    expect([frames.isCompound(head), frames.head(head + 4), frames.references(head + 4), frames.index(head + 4), frames.reverse(head + 4)]).toEqual([false, head + 4, 1, 1004, reverse])
    frames.put(head + 4)
    expect([frames.allocate(), frames.used]).toEqual([head + 4, 513])
  })

  test('of zeros is there from the first use on, and not written', () => {
    const { frames, events } = table()
    const zero = frames.hugeZero()
    expect([frames.hugeZero(), frames.isHugeZero(zero + 5), frames.isHugeZero(zero - 1), frames.used, events]).toEqual([zero, true, false, 1, []])
    frames.addHugeMapping(zero)
    frames.removeHugeMapping(zero)
    frames.removeHugeMapping(zero)
    expect([frames.references(zero), frames.read(zero + 5, 9, 1)]).toEqual([1, bytes(0)])
    expect(() => { frames.write(zero + 5, 0, bytes(1)) }).toThrow('EFAULT')
  })
})
