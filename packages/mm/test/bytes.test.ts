import { describe, expect, test } from 'vitest'
import {
  MADV_DONTFORK, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_WIPEONFORK, MAP_LOCKED, MAP_PRIVATE, MAP_SHARED, MREMAP_DONTUNMAP,
  MREMAP_FIXED, MREMAP_MAYMOVE, PAGE_SIZE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, VM_LOCKED, type Mm,
} from '../src/index.ts'
import { anon, bytes, mapFile, maps, newMm, outcome, page, pages, peek, poke, RW, sharedAnon } from './helpers.ts'

const MOVE_TO = MREMAP_MAYMOVE | MREMAP_FIXED
const frameAt = (mm: Mm, n: number): number => mm.pageTable.get(page(n)) >> 4

describe('access', () => {
  test('across pages, zeros where nothing was written', async () => {
    const mm = newMm()
    await anon(mm, 0, 3)
    await mm.write(page(1) - 2, bytes(1, 2, 3, 4))
    expect(await mm.read(page(1) - 3, 6)).toEqual(bytes(0, 1, 2, 3, 4, 0))
    expect(await peek(mm, 2)).toBe(0)
    expect(mm.memory.frames.used).toBe(3)
  })

  test.each<[string, number, 'read' | 'write' | 'execute', boolean]>([
    ['none', PROT_NONE, 'read', false],
    ['read', PROT_READ, 'read', true],
    ['read', PROT_READ, 'write', false],
    ['write, which x86 lets read', PROT_WRITE, 'read', true],
    ['execute, which x86 lets read', PROT_EXEC, 'read', true],
    ['read', PROT_READ, 'execute', false],
    ['execute', PROT_EXEC, 'execute', true],
  ])('PROT %s: %s', async (_, prot, access, allowed) => {
    const mm = newMm()
    await anon(mm, 0, 1, prot)
    expect(await outcome(mm.fault(page(0), access))).toBe(allowed ? undefined : 'EFAULT')
  })

  test('mprotect takes effect on pages that are there, and its bytes survive PROT_NONE', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    await poke(mm, 0, 7)
    await mm.mprotect(page(0), pages(1), PROT_NONE)
    expect([await outcome(peek(mm, 0)), await outcome(poke(mm, 0, 1))]).toEqual(['EFAULT', 'EFAULT'])
    await mm.mprotect(page(0), pages(1), PROT_READ)
    expect([await peek(mm, 0), await outcome(poke(mm, 0, 1))]).toEqual([7, 'EFAULT'])
    await mm.mprotect(page(0), pages(1), RW)
    await poke(mm, 0, 8)
    expect(await peek(mm, 0)).toBe(8)
  })

  test('a hole is EFAULT, and what lies before it is written', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    expect(await outcome(mm.write(page(1) - 1, bytes(5, 6)))).toBe('EFAULT')
    expect(await mm.read(page(1) - 1, 1)).toEqual(bytes(5))
    expect(await outcome(mm.read(page(1) - 1, 2))).toBe('EFAULT')
  })

  test('numbers above 2^53 are RangeErrors', async () => {
    const mm = newMm()
    expect(await outcome(mm.read(2 ** 53, 1))).toBe('RangeError')
    expect(await outcome(mm.write(2 ** 53 - 1, bytes(1, 2)))).toBe('RangeError')
    expect(await outcome(mm.fault(2 ** 53, 'read'))).toBe('RangeError')
    expect(() => mm.pageAt(2 ** 53)).toThrow(RangeError)
    expect(await outcome(mm.growStack(2 ** 53))).toBe('RangeError')
  })
})

describe('fork', () => {
  test('each side sees its own writes after, and both those before', async () => {
    const parent = newMm('parent')
    await anon(parent, 0, 3)
    await poke(parent, 0, 1)
    await poke(parent, 1, 1)
    const child = await parent.fork('child')
    expect(frameAt(child, 0)).toBe(frameAt(parent, 0))
    await poke(parent, 0, 2)
    await poke(child, 1, 3)
    await poke(child, 2, 4)
    expect([await peek(parent, 0), await peek(parent, 1), await peek(parent, 2)]).toEqual([2, 1, 0])
    expect([await peek(child, 0), await peek(child, 1), await peek(child, 2)]).toEqual([1, 3, 4])
  })

  test('the last user of a page does not copy it', async () => {
    const parent = newMm('parent')
    await anon(parent, 0, 1)
    await poke(parent, 0, 1)
    const frame = frameAt(parent, 0)
    const child = await parent.fork('child')
    await poke(child, 0, 2)
    await poke(parent, 0, 3)
    expect(frameAt(parent, 0)).toBe(frame)
    expect([await peek(parent, 0), await peek(child, 0)]).toEqual([3, 2])
  })

  test('access that is taken away and given back does not spare the copy', async () => {
    const parent = newMm('parent')
    await anon(parent, 0, 1)
    await poke(parent, 0, 1)
    const child = await parent.fork('child')
    for (const mm of [parent, child]) {
      await mm.mprotect(page(0), pages(1), PROT_READ)
      await mm.mprotect(page(0), pages(1), RW)
    }
    await poke(parent, 0, 2)
    expect([await peek(parent, 0), await peek(child, 0)]).toEqual([2, 1])
  })

  test('an exclusive page that a driver holds is not copied: the driver sees the write', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    await poke(mm, 0, 1)
    const frame = frameAt(mm, 0)
    mm.memory.frames.get(frame)
    await mm.mprotect(page(0), pages(1), PROT_READ)
    await mm.mprotect(page(0), pages(1), RW)
    await poke(mm, 0, 2)
    expect([frameAt(mm, 0), mm.memory.frames.read(frame, 0, 1)]).toEqual([frame, bytes(2)])
    mm.memory.frames.put(frame)
  })

  test('grandchildren', async () => {
    const a = newMm('a')
    await anon(a, 0, 1)
    await poke(a, 0, 1)
    const b = await a.fork('b')
    const c = await b.fork('c')
    await poke(b, 0, 2)
    expect([await peek(a, 0), await peek(b, 0), await peek(c, 0)]).toEqual([1, 2, 1])
    for (const mm of [a, b, c]) await mm.exit()
    expect(a.memory.frames.used).toBe(1)
  })

  test('areas that join keep that one of them has private pages', async () => {
    const parent = newMm('parent')
    await anon(parent, 0, 2, PROT_READ)
    await anon(parent, 2, 2)
    await poke(parent, 2, 7)
    await parent.mprotect(page(2), pages(2), PROT_READ)
    expect(maps(parent)).toBe('0-4 r--p')
    expect(await peek(await parent.fork('child'), 2)).toBe(7)
  })

  test('locked areas are not locked in the child, and grow filled; what MREMAP_DONTUNMAP leaves is not locked', async () => {
    const mm = newMm()
    await anon(mm, 0, 2, RW, MAP_LOCKED)
    const child = await mm.fork('child')
    expect(child.findVma(page(0))?.flags).toBe(RW)
    await mm.mremap(page(0), pages(2), pages(5), MREMAP_MAYMOVE)
    expect(mm.pageTable.entries).toBe(5)
    await mm.mremap(page(0), pages(5), pages(5), MOVE_TO | MREMAP_DONTUNMAP, page(8))
    expect([mm.findVma(page(0))?.flags, mm.findVma(page(8))?.flags]).toEqual([RW, RW | VM_LOCKED])
  })

  test('MADV_DONTFORK areas are missing, MADV_WIPEONFORK ones empty, shared ones shared, brk is inherited', async () => {
    const parent = newMm('parent')
    await anon(parent, 0, 3)
    await sharedAnon(parent, 4, 1)
    for (const n of [0, 1, 2, 4]) await poke(parent, n, 1)
    await parent.madvise(page(0), pages(1), MADV_DONTFORK)
    await parent.madvise(page(1), pages(1), MADV_WIPEONFORK)
    parent.setBrk(page(10), page(10) + 5)
    const child = await parent.fork('child')
    expect(maps(child)).toBe('1-2 rw-p, 2-3 rw-p, 4-5 rw-s /dev/zero+0')
    expect([await peek(child, 1), await peek(child, 2), await peek(child, 4)]).toEqual([0, 1, 1])
    await poke(child, 4, 2)
    expect(await peek(parent, 4)).toBe(2)
    expect(await child.brk(0)).toBe(page(10) + 5)
  })
})

describe('mremap', () => {
  test('bytes and frames move along; the old place is gone', async () => {
    const mm = newMm()
    await anon(mm, 0, 4)
    for (const n of [0, 1, 3]) await poke(mm, n, n + 1)
    const frames = [0, 1, 2, 3].map((n) => frameAt(mm, n))
    await mm.mremap(page(0), pages(4), pages(6), MOVE_TO, page(1000))
    expect([1000, 1001, 1002, 1003].map((n) => frameAt(mm, n))).toEqual(frames)
    expect(await mm.read(page(1000), pages(6)).then((all) => [0, 1, 2, 3, 5].map((n) => all[pages(n)]))).toEqual([1, 2, 0, 4, 0])
    expect(await outcome(peek(mm, 0))).toBe('EFAULT')
  })

  test('within one leaf table, by one page', async () => {
    const mm = newMm()
    await anon(mm, 8, 4)
    for (let n = 8; n < 12; n++) await poke(mm, n, n)
    await mm.mremap(page(8), pages(4), pages(4), MOVE_TO, page(4))
    expect([await peek(mm, 4), await peek(mm, 5), await peek(mm, 6), await peek(mm, 7), mm.pageTable.entries]).toEqual([8, 9, 10, 11, 4])
  })

  test('MREMAP_DONTUNMAP leaves zeros', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    await poke(mm, 0, 5)
    await mm.mremap(page(0), pages(1), pages(1), MOVE_TO | MREMAP_DONTUNMAP, page(9))
    expect([await peek(mm, 0), await peek(mm, 9)]).toEqual([0, 5])
  })

  test('a duplicate of shared memory is the same memory', async () => {
    const mm = newMm()
    await sharedAnon(mm, 0, 2)
    await mm.mremap(page(1), 0, pages(1), MOVE_TO, page(9))
    await poke(mm, 9, 5)
    expect(await peek(mm, 1)).toBe(5)
  })
})

describe('advice', () => {
  test('MADV_DONTNEED: private memory becomes zeros, its frames free', async () => {
    const mm = newMm()
    await anon(mm, 0, 3)
    for (const n of [0, 1, 2]) await poke(mm, n, 1)
    await mm.madvise(page(1), pages(1), MADV_DONTNEED)
    expect(mm.memory.frames.used).toBe(3)
    expect([await peek(mm, 0), await peek(mm, 1), await peek(mm, 2)]).toEqual([1, 0, 1])
  })

  test('MADV_FREE: the pages stay, as memory is never short', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    await poke(mm, 0, 1)
    await mm.madvise(page(0), pages(1), MADV_FREE)
    expect([await peek(mm, 0), mm.memory.frames.used]).toEqual([1, 2])
  })

  test('MADV_DONTNEED of shared memory loses nothing; MADV_REMOVE does, everywhere', async () => {
    const mm = newMm()
    await sharedAnon(mm, 0, 2)
    await poke(mm, 0, 1)
    await poke(mm, 1, 2)
    const child = await mm.fork('child')
    await peek(child, 0)
    await mm.madvise(page(0), pages(2), MADV_DONTNEED)
    expect([await peek(mm, 0), await peek(mm, 1)]).toEqual([1, 2])
    await mm.madvise(page(0), pages(1), MADV_REMOVE)
    expect([await peek(mm, 0), await peek(child, 0), await peek(child, 1)]).toEqual([0, 0, 2])
  })
})

describe('files', () => {
  test('shared mappings write through, private ones copy', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(2) })
    await file.write(10, bytes(1, 2, 3))
    await mapFile(mm, 0, 2, file)
    await mapFile(mm, 10, 2, file, MAP_PRIVATE)
    expect([await mm.read(page(0) + 10, 3), await mm.read(page(10) + 10, 3)]).toEqual([bytes(1, 2, 3), bytes(1, 2, 3)])
    await mm.write(page(0) + 10, bytes(4))
    await mm.write(page(10) + 11, bytes(5))
    const shared = bytes(4, 2, 3)
    expect([await file.read(10, 3), await mm.read(page(0) + 10, 3)]).toEqual([shared, shared])
    expect(await mm.read(page(10) + 10, 3)).toEqual(bytes(4, 5, 3))
    await file.write(10, bytes(9, 9))
    expect([await mm.read(page(0) + 10, 2), await mm.read(page(10) + 10, 2)]).toEqual([bytes(9, 9), bytes(4, 5)])
  })

  test('a private copy is made from the file as it is at the write, without a read before', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(1) })
    await file.write(0, bytes(1, 2))
    await mapFile(mm, 0, 1, file, MAP_PRIVATE)
    await mm.write(page(0), bytes(7))
    expect([await mm.read(page(0), 2), await file.read(0, 2)]).toEqual([bytes(7, 2), bytes(1, 2)])
  })

  test('a read fault maps what is in memory of the 64 KiB around it, inside the area', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(40) })
    for (const index of [1, 2, 5, 18, 20]) await file.write(pages(index), bytes(index))
    const present = (): number[] => Array.from({ length: 40 }, (_, n) => n).filter((n) => mm.pageTable.get(page(n)) !== 0)
    await mapFile(mm, 2, 38, file, MAP_SHARED, 2)
    await peek(mm, 4)
    expect(present()).toEqual([2, 4, 5])
    await poke(mm, 19, 1)
    expect(present()).toEqual([2, 4, 5, 19])
    await peek(mm, 30)
    expect(present()).toEqual([2, 4, 5, 18, 19, 20, 30])
    expect([await peek(mm, 2), await peek(mm, 20)]).toEqual([2, 20])
  })

  test('reads end at the end of the file, writes move it', async () => {
    const file = newMm().memory.createFile({ name: 'f', size: 3 })
    expect(await file.read(1, 10)).toEqual(bytes(0, 0))
    expect(await file.read(5, 10)).toEqual(bytes())
    await file.write(PAGE_SIZE - 1, bytes(1, 2))
    expect([file.size, await file.read(PAGE_SIZE - 2, 10)]).toEqual([PAGE_SIZE + 1, bytes(0, 1, 2)])
  })

  test('access behind the end is EFAULT; the last page reads zeros behind it', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: PAGE_SIZE + 1 })
    await mapFile(mm, 0, 3, file)
    await mm.write(page(1) + 1, bytes(9))
    expect([await outcome(peek(mm, 2)), await outcome(poke(mm, 2, 1))]).toEqual(['EFAULT', 'EFAULT'])
    expect(file.size).toBe(PAGE_SIZE + 1)
  })

  test('a file of unknown size has no end', async () => {
    const mm = newMm()
    await mapFile(mm, 0, 1, mm.memory.createFile({ name: 'f', size: Infinity }), MAP_PRIVATE, 10 ** 6)
    expect(await peek(mm, 0)).toBe(0)
  })

  test('truncate unmaps, private copies too, and what comes back are zeros', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(2) })
    await file.write(0, new Uint8Array(pages(2)).fill(7))
    await mapFile(mm, 0, 2, file)
    await mapFile(mm, 10, 2, file, MAP_PRIVATE)
    await poke(mm, 1, 1)
    await poke(mm, 11, 1)
    await file.truncate(100)
    expect([await outcome(peek(mm, 1)), await outcome(peek(mm, 11)), mm.memory.frames.used]).toEqual(['EFAULT', 'EFAULT', 2])
    await file.truncate(pages(2))
    expect([await mm.read(page(0) + 99, 2), await peek(mm, 1), await peek(mm, 11)]).toEqual([bytes(7, 0), 0, 0])
  })

  test('a hole is zeros, parts of pages included; private copies stay', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(4) })
    await file.write(0, new Uint8Array(pages(4)).fill(7))
    await mapFile(mm, 0, 4, file)
    await mapFile(mm, 10, 4, file, MAP_PRIVATE)
    await poke(mm, 11, 1)
    await peek(mm, 12)
    await file.punchHole(pages(1) - 1, pages(2) + 2)
    expect(await mm.read(page(0) + pages(1) - 2, 2)).toEqual(bytes(7, 0))
    expect(await mm.read(page(3), 2)).toEqual(bytes(0, 7))
    expect([await peek(mm, 1), await peek(mm, 2), await peek(mm, 11), await peek(mm, 12)]).toEqual([0, 0, 1, 0])
    expect([file.size, await outcome(file.punchHole(0, 0))]).toEqual([pages(4), 'EINVAL'])
    await file.punchHole(5, 2)
    expect(await file.read(4, 4)).toEqual(bytes(7, 0, 0, 7))
  })

  test('a shared anonymous object goes with its last mapping, and not when it is mapped over itself', async () => {
    const mm = newMm()
    await sharedAnon(mm, 0, 2)
    await poke(mm, 1, 5)
    await mm.remapFilePages(page(0), pages(2), 0)
    expect(await peek(mm, 1)).toBe(5)
    await mm.mremap(page(0), pages(2), pages(2), MOVE_TO, page(8))
    expect(await peek(mm, 9)).toBe(5)
    await mm.munmap(page(8), pages(1))
    expect(mm.memory.frames.used).toBeGreaterThan(1)
    await mm.munmap(page(9), pages(1))
    expect(mm.memory.frames.used).toBe(1)
  })

  test('a file keeps its pages without a mapping, until it is unlinked', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: '/SYSV0', size: pages(1), kind: 'shm' })
    await mapFile(mm, 0, 1, file)
    await poke(mm, 0, 5)
    await file.unlink()
    expect(await peek(mm, 0)).toBe(5)
    await mm.munmap(page(0), pages(1))
    expect(mm.memory.frames.used).toBe(1)
    const other = mm.memory.createFile({ name: 'f' })
    await other.write(0, bytes(1))
    expect(mm.memory.frames.used).toBe(2)
    await other.unlink()
    expect(mm.memory.frames.used).toBe(1)
  })

  test.each([-1, 0.5, 2 ** 53, NaN])('size %d is a RangeError', async (size) => {
    const { memory } = newMm()
    expect(() => memory.createFile({ name: 'f', size })).toThrow(RangeError)
    expect(await outcome(memory.createFile({ name: 'f' }).truncate(size))).toBe('RangeError')
  })
})
