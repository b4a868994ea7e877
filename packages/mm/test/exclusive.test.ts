import { expect, test } from 'vitest'
import { PTE_DEVICE_EXCLUSIVE, specialKind, type Mm } from '../src/index.ts'
import { anon, machine, page, pages, peek, poke, recordEvents, sharedAnon } from './helpers.ts'

const exclusive = (mm: Mm, n: number): boolean => specialKind(mm.pageTable.get(page(n))) === PTE_DEVICE_EXCLUSIVE

async function take(mm: Mm, first: number, count: number): Promise<number[]> {
  return mm.mmapRead(async () => {
    const taken = await mm.makeDeviceExclusive(page(first), page(first + count))
    await taken.release()
    return [...taken.frames]
  })
}

test('pages are made writable, then each is taken, until the CPU touches it', async () => {
  const mm = machine().createMm('mm')
  await anon(mm, 0, 3)
  await peek(mm, 1)
  const events = await recordEvents(mm)
  const frames = await take(mm, 0, 3)
  expect(frames.every((frame) => frame > 0)).toBe(true)
  expect(events()).toBe('clear 1-2, exclusive 0-1, exclusive 1-2, exclusive 2-3')
  mm.memory.frames.write(frames[2] ?? 0, 0, Uint8Array.of(8))
  expect(await peek(mm, 2)).toBe(8)
  expect(events()).toBe('exclusive 2-3')
  expect([0, 1, 2].map((n) => exclusive(mm, n))).toEqual([true, true, false])
})

test('a fork gives pages back, silently', async () => {
  const mm = machine().createMm('mm')
  await anon(mm, 0, 1)
  await poke(mm, 0, 4)
  await take(mm, 0, 1)
  const events = await recordEvents(mm)
  const child = await mm.fork('child')
  expect([events(), exclusive(mm, 0)]).toEqual(['protectionPage 0-1', false])
  await poke(mm, 0, 5)
  expect([await peek(mm, 0), await peek(child, 0)]).toEqual([5, 4])
})

test('shared memory is not taken, a hole ends the attempt, and nothing leaks', async () => {
  const mm = machine().createMm('mm')
  await anon(mm, 0, 1)
  await sharedAnon(mm, 1, 1)
  await anon(mm, 2, 1)
  const frames = await take(mm, 0, 4)
  expect(frames.map((frame) => frame > 0)).toEqual([true, false, true])
  await mm.munmap(page(0), pages(1))
  await mm.exit()
  expect(mm.memory.frames.used).toBe(1)
})
