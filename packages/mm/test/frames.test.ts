import { createKernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { PAGE_SIZE, PhysicalMemory, ZERO_FRAME, type FrameTable } from '../src/index.ts'
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
