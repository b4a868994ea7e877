import { describe, expect, test } from 'vitest'
import {
  MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_MERGEABLE,
  MADV_NOHUGEPAGE, MADV_NORMAL, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_UNMERGEABLE,
  MADV_WIPEONFORK, MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB, MAP_LOCKED, MAP_NORESERVE,
  MAP_POPULATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_STACK, MMAP_BASE, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE,
  PAGE_SIZE, PROT_EXEC, PROT_GROWSDOWN, PROT_NONE, PROT_READ, PROT_WRITE, TASK_SIZE, VM_DONTCOPY, VM_DONTDUMP, VM_HUGEPAGE, VM_LOCKED,
  VM_MERGEABLE, VM_NOHUGEPAGE, VM_NORESERVE, VM_RAND_READ, VM_SEQ_READ, VM_WIPEONFORK, type Mm,
} from '../src/index.ts'
import { anon, mapFile, maps, newMm, outcome, page, pages, poke, RW, sharedAnon } from './helpers.ts'

const ANON = MAP_PRIVATE | MAP_ANONYMOUS
const MOVE_TO = MREMAP_MAYMOVE | MREMAP_FIXED

/** What is called, what it returns or fails with, and the map afterwards. */
type Case = readonly [title: string, calls: (mm: Mm) => Promise<unknown>, result: unknown, map: string]

function each(cases: readonly Case[]): void {
  test.each(cases)('%s', async (_, calls, result, map) => {
    const mm = newMm()
    expect([await outcome(calls(mm)), maps(mm)]).toEqual([result, map])
    await mm.exit()
    expect(mm.memory.frames.used).toBe(1)
  })
}

describe('mmap', () => {
  each([
    ['length 0', (mm) => mm.mmap(0, 0, RW, ANON), 'EINVAL', ''],
    ['no type', (mm) => mm.mmap(0, 1, RW, MAP_ANONYMOUS), 'EINVAL', ''],
    ['MAP_SHARED_VALIDATE of nothing', (mm) => mm.mmap(0, 1, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS), 'EINVAL', ''],
    ['shared and growing down', (mm) => mm.mmap(0, 1, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN), 'EINVAL', ''],
    ['neither file nor anonymous', (mm) => mm.mmap(0, 1, RW, MAP_PRIVATE), 'EBADF', ''],
    ['an odd offset', (mm) => mm.mmap(0, 1, RW, ANON, undefined, 12), 'EINVAL', ''],
    ['a fixed odd address', (mm) => mm.mmap(page(0) + 1, 1, RW, ANON | MAP_FIXED), 'EINVAL', ''],
    ['beyond user space', (mm) => mm.mmap(TASK_SIZE, 1, RW, ANON | MAP_FIXED), 'ENOMEM', ''],
    ['more than user space', (mm) => mm.mmap(0, TASK_SIZE + 1, RW, ANON), 'ENOMEM', ''],
    ['above 2^53', (mm) => mm.mmap(2 ** 53, 1, RW, ANON | MAP_FIXED), 'RangeError', ''],
    ['an offset above 2^64', (mm) => mm.mmap(0, 1, RW, ANON, undefined, 2 ** 64), 'RangeError', ''],
    ['below 0', (mm) => mm.mmap(-PAGE_SIZE, 1, RW, ANON), 'RangeError', ''],
    ['a fraction', (mm) => mm.mmap(0.5, 1, RW, ANON), 'RangeError', ''],
    ['length rounds up', (mm) => mm.mmap(page(0), 4097, RW, ANON), page(0), '0-2 rw-p'],
    ['a hint rounds up', (mm) => mm.mmap(page(0) + 1, 1, RW, ANON), page(1), '1-2 rw-p'],
    ['a taken hint goes elsewhere', async (mm) => {
      await anon(mm, 0, 2, PROT_READ)
      return mm.mmap(page(1), pages(2), RW, ANON)
    }, MMAP_BASE - pages(2), `0-2 r--p, 0x${(MMAP_BASE - pages(2)).toString(16)}-0x${MMAP_BASE.toString(16)} rw-p`],
    ['equal neighbours join', async (mm) => { await anon(mm, 0, 1); await anon(mm, 2, 1); await anon(mm, 1, 1) }, undefined, '0-3 rw-p'],
    ['other access does not join', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 1, 1, PROT_READ)
      await anon(mm, 2, 1)
    }, undefined, '0-1 rw-p, 1-2 r--p, 2-3 rw-p'],
    ['other flags do not join', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 1, 1, RW, MAP_NORESERVE)
    }, undefined, '0-1 rw-p, 1-2 rw-p'],
    ['fixed replaces what is there', async (mm) => {
      await anon(mm, 0, 5)
      await anon(mm, 1, 2, PROT_NONE)
    }, undefined, '0-1 rw-p, 1-3 ---p, 3-5 rw-p'],
    ['fixed over the same joins again', async (mm) => { await anon(mm, 0, 5); await anon(mm, 1, 2) }, undefined, '0-5 rw-p'],
    ['MAP_FIXED_NOREPLACE does not', async (mm) => {
      await anon(mm, 0, 5)
      return mm.mmap(page(4), pages(2), RW, ANON | MAP_FIXED_NOREPLACE)
    }, 'EEXIST', '0-5 rw-p'],
    ['MAP_FIXED_NOREPLACE where it is free', (mm) => mm.mmap(page(4), pages(2), RW, ANON | MAP_FIXED_NOREPLACE), page(4), '4-6 rw-p'],
    ['two shared anonymous objects never join', async (mm) => {
      await sharedAnon(mm, 0, 1)
      await sharedAnon(mm, 1, 1)
    }, undefined, '0-1 rw-s /dev/zero+0, 1-2 rw-s /dev/zero+0'],
    ['MAP_HUGETLB is 2 MiB at least', (mm) => mm.mmap(0, 1, RW, ANON | MAP_HUGETLB), 0x7ffff7c00000,
      '0x7ffff7c00000-0x7ffff7e00000 rw-p /anon_hugepage+0'],
    ['MAP_HUGETLB at an odd place', (mm) => mm.mmap(page(1), 1, RW, ANON | MAP_HUGETLB | MAP_FIXED), 'EINVAL', ''],
    ['MAP_32BIT', (mm) => mm.mmap(0, pages(2), RW, ANON | MAP_32BIT), 0x7fffe000, '0x7fffe000-0x80000000 rw-p'],
  ])

  test('takes the highest hole that is large enough', async () => {
    const mm = newMm()
    const below = async (count: number, prot: number): Promise<number> =>
      mm.mmap(0, pages(count), prot, ANON).then((at) => (MMAP_BASE - at) / PAGE_SIZE)
    expect(await below(10, RW)).toBe(10)
    await mm.munmap(MMAP_BASE - pages(9), pages(2))
    await mm.munmap(MMAP_BASE - pages(5), pages(3))
    expect([await below(3, PROT_READ), await below(3, PROT_READ), await below(1, PROT_EXEC)]).toEqual([5, 13, 8])
  })

  test('MAP_POPULATE faults what is not there: what faults have mapped around them is', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(20) })
    await file.write(0, new Uint8Array(pages(20)))
    let faults = 0
    mm.memory.kernel.on('mm:fault', () => faults++)
    await mm.mmap(page(0), pages(20), PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file)
    expect([faults, mm.pageTable.entries]).toEqual([2, 20])
  })

  test('a private mapping of /dev/zero is anonymous, a shared one has an object of its own', async () => {
    const mm = newMm()
    const zero = mm.memory.createFile({ name: '/dev/zero' })
    await mapFile(mm, 0, 1, zero, MAP_PRIVATE)
    await anon(mm, 1, 1)
    await mapFile(mm, 2, 1, zero)
    await mapFile(mm, 3, 1, zero)
    expect(maps(mm)).toBe('0-2 rw-p, 2-3 rw-s /dev/zero+0, 3-4 rw-s /dev/zero+0')
  })

  test('file mappings join where the offset continues', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(10) })
    await mapFile(mm, 0, 2, file)
    await mapFile(mm, 4, 2, file, MAP_SHARED, 4)
    await mapFile(mm, 2, 2, file, MAP_SHARED, 2)
    await mapFile(mm, 6, 1, file, MAP_SHARED, 7)
    await mapFile(mm, 7, 1, file, MAP_PRIVATE, 8)
    expect(maps(mm)).toBe('0-6 rw-s f+0, 6-7 rw-s f+7, 7-8 rw-p f+8')
  })

  test('special mappings never join', async () => {
    const mm = newMm()
    const vdso = mm.memory.createFile({ name: '[vdso]', kind: 'special' })
    await mapFile(mm, 0, 1, vdso, MAP_PRIVATE)
    await mapFile(mm, 1, 1, vdso, MAP_PRIVATE, 1)
    expect(maps(mm)).toBe('0-1 rw-p [vdso]+0, 1-2 rw-p [vdso]+1')
  })

  test.each<[string, number, number]>([
    ['MAP_STACK means no huge pages', MAP_STACK, VM_NOHUGEPAGE],
    ['MAP_NORESERVE', MAP_NORESERVE, VM_NORESERVE],
    ['MAP_LOCKED', MAP_LOCKED, VM_LOCKED],
  ])('%s', async (_, flag, bit) => {
    const mm = newMm()
    await anon(mm, 0, 1, RW, flag)
    expect(mm.findVma(page(0))?.flags).toBe(RW | bit)
  })

  test('MAP_POPULATE and MAP_LOCKED fill the pages, for write where they are private', async () => {
    const mm = newMm()
    await anon(mm, 0, 3, RW, MAP_POPULATE)
    await anon(mm, 3, 3, PROT_READ, MAP_LOCKED)
    await anon(mm, 6, 3, PROT_NONE, MAP_POPULATE)
    expect([mm.pageTable.entries, mm.memory.frames.used]).toEqual([6, 4])
  })
})

describe('munmap', () => {
  each([
    ['length 0', (mm) => mm.munmap(page(0), 0), 'EINVAL', ''],
    ['an odd address', (mm) => mm.munmap(page(0) + 1, 1), 'EINVAL', ''],
    ['beyond user space', (mm) => mm.munmap(TASK_SIZE, PAGE_SIZE), 'EINVAL', ''],
    ['above 2^53', (mm) => mm.munmap(2 ** 53, PAGE_SIZE), 'RangeError', ''],
    ['a hole', (mm) => mm.munmap(page(0), pages(9)), undefined, ''],
    ['length rounds up', async (mm) => { await anon(mm, 0, 3); await mm.munmap(page(0), 4097) }, undefined, '2-3 rw-p'],
    ['the middle', async (mm) => { await anon(mm, 0, 3); await mm.munmap(page(1), 1) }, undefined, '0-1 rw-p, 2-3 rw-p'],
    ['over holes and areas', async (mm) => {
      await anon(mm, 0, 2)
      await anon(mm, 3, 2, PROT_READ)
      await anon(mm, 6, 2)
      await mm.munmap(page(1), pages(6))
    }, undefined, '0-1 rw-p, 7-8 rw-p'],
  ])
})

describe('mprotect', () => {
  each([
    ['an odd address', (mm) => mm.mprotect(page(0) + 1, 1, RW), 'EINVAL', ''],
    ['unknown bits', (mm) => mm.mprotect(page(0), 1, 0x40), 'EINVAL', ''],
    ['length 0 is nothing', (mm) => mm.mprotect(page(0), 0, RW), undefined, ''],
    ['a hole', (mm) => mm.mprotect(page(0), 1, RW), 'ENOMEM', ''],
    ['above 2^53', (mm) => mm.mprotect(2 ** 53, 1, RW), 'RangeError', ''],
    ['splits', async (mm) => {
      await anon(mm, 0, 3)
      await mm.mprotect(page(1), pages(1), PROT_READ)
    }, undefined, '0-1 rw-p, 1-2 r--p, 2-3 rw-p'],
    ['joins again', async (mm) => {
      await anon(mm, 0, 3)
      await mm.mprotect(page(1), pages(1), PROT_READ)
      await mm.mprotect(page(0), pages(2), RW)
    }, undefined, '0-3 rw-p'],
    ['joins several', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 1, 1, PROT_NONE)
      await anon(mm, 2, 1, PROT_READ)
      await mm.mprotect(page(0), pages(3), RW)
    }, undefined, '0-3 rw-p'],
    ['does what lies before a hole', async (mm) => {
      await anon(mm, 0, 2)
      await anon(mm, 3, 2)
      await mm.mprotect(page(1), pages(4), PROT_READ)
    }, 'ENOMEM', '0-1 rw-p, 1-2 r--p, 3-5 rw-p'],
    ['begins in a hole', async (mm) => { await anon(mm, 1, 2); await mm.mprotect(page(0), pages(2), PROT_READ) }, 'ENOMEM', '1-3 rw-p'],
    ['PROT_GROWSDOWN begins with the stack', async (mm) => {
      await anon(mm, 0, 4, RW, MAP_GROWSDOWN)
      await mm.mprotect(page(3), pages(1), PROT_READ | PROT_GROWSDOWN)
    }, undefined, '0-4 r--p gd'],
    ['PROT_GROWSDOWN without one', async (mm) => {
      await anon(mm, 0, 4)
      await mm.mprotect(page(3), pages(1), PROT_READ | PROT_GROWSDOWN)
    }, 'EINVAL', '0-4 rw-p'],
  ])
})

describe('mremap', () => {
  each([
    ['an odd address', (mm) => mm.mremap(page(0) + 1, pages(1), pages(1), 0), 'EINVAL', ''],
    ['new length 0', (mm) => mm.mremap(page(0), pages(1), 0, 0), 'EINVAL', ''],
    ['unknown flags', (mm) => mm.mremap(page(0), pages(1), pages(1), 8), 'EINVAL', ''],
    ['MREMAP_FIXED alone', (mm) => mm.mremap(page(0), pages(1), pages(1), MREMAP_FIXED, page(5)), 'EINVAL', ''],
    ['MREMAP_DONTUNMAP and a new size', (mm) => mm.mremap(page(0), pages(1), pages(2), MREMAP_MAYMOVE | MREMAP_DONTUNMAP), 'EINVAL', ''],
    ['a hole', (mm) => mm.mremap(page(0), pages(1), pages(2), MREMAP_MAYMOVE), 'EFAULT', ''],
    ['above 2^53', (mm) => mm.mremap(page(0), pages(1), pages(2), MOVE_TO, 2 ** 53), 'RangeError', ''],
    ['shrink of what leaves user space', async (mm) => { await anon(mm, 0, 4); return mm.mremap(page(0), 2 ** 48, pages(1), 0) }, 'EINVAL', '0-4 rw-p'],
    ['shrink of more than there are addresses', async (mm) => { await anon(mm, 0, 4); return mm.mremap(page(0), 2 ** 53 - 1, pages(1), 0) }, 'EINVAL', '0-4 rw-p'],
    ['the same with MREMAP_FIXED below', async (mm) => { await anon(mm, 4, 4); return mm.mremap(page(4), 2 ** 48, pages(1), MOVE_TO, page(0)) }, 'EINVAL', '4-8 rw-p'],
    ['shrink', async (mm) => { await anon(mm, 0, 4); return mm.mremap(page(0), pages(4), pages(1), 0) }, page(0), '0-1 rw-p'],
    ['the same size succeeds over a hole', async (mm) => {
      await anon(mm, 0, 1)
      return mm.mremap(page(0), pages(4), pages(4), 0)
    }, page(0), '0-1 rw-p'],
    ['grow in place', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 3, 1)
      return mm.mremap(page(0), pages(1), pages(3), 0)
    }, page(0), '0-4 rw-p'],
    ['no room', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 2, 1, PROT_READ)
      return mm.mremap(page(0), pages(1), pages(3), 0)
    }, 'ENOMEM', '0-1 rw-p, 2-3 r--p'],
    ['grow from the middle of an area', async (mm) => {
      await anon(mm, 0, 4)
      return mm.mremap(page(1), pages(1), pages(2), 0)
    }, 'ENOMEM', '0-4 rw-p'],
    ['more than one area', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 1, 1, PROT_READ)
      return mm.mremap(page(0), pages(2), pages(3), MREMAP_MAYMOVE)
    }, 'EFAULT', '0-1 rw-p, 1-2 r--p'],
    ['move because there is no room', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 1, 1, PROT_READ)
      return mm.mremap(page(0), pages(1), pages(2), MREMAP_MAYMOVE)
    }, MMAP_BASE - pages(2), '1-2 r--p, 0x7ffff7ffd000-0x7ffff7fff000 rw-p'],
    ['move and grow', async (mm) => {
      await anon(mm, 0, 4)
      return mm.mremap(page(1), pages(2), pages(3), MOVE_TO, page(8))
    }, page(8), '0-1 rw-p, 3-4 rw-p, 8-11 rw-p'],
    ['move and shrink', async (mm) => {
      await anon(mm, 0, 4)
      return mm.mremap(page(0), pages(4), pages(1), MOVE_TO, page(8))
    }, page(8), '8-9 rw-p'],
    ['move over others', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 7, 3, PROT_READ)
      return mm.mremap(page(0), pages(1), pages(1), MOVE_TO, page(8))
    }, page(8), '7-8 r--p, 8-9 rw-p, 9-10 r--p'],
    ['old and new place overlap', async (mm) => {
      await anon(mm, 0, 4)
      return mm.mremap(page(0), pages(2), pages(2), MOVE_TO, page(1))
    }, 'EINVAL', '0-4 rw-p'],
    ['an odd new address', async (mm) => {
      await anon(mm, 0, 1)
      return mm.mremap(page(0), pages(1), pages(1), MOVE_TO, page(1) + 1)
    }, 'EINVAL', '0-1 rw-p'],
    ['a bad source has cost the destination already', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 8, 2)
      return mm.mremap(page(0), pages(2), pages(2), MOVE_TO, page(8))
    }, 'EFAULT', '0-1 rw-p'],
    ['old size 0 of private memory', async (mm) => {
      await anon(mm, 0, 1)
      return mm.mremap(page(0), 0, pages(1), MOVE_TO, page(8))
    }, 'EINVAL', '0-1 rw-p'],
    ['old size 0 duplicates shared memory', async (mm) => {
      await sharedAnon(mm, 0, 3)
      return mm.mremap(page(1), 0, pages(1), MOVE_TO, page(8))
    }, page(8), '0-3 rw-s /dev/zero+0, 8-9 rw-s /dev/zero+1'],
    ['MREMAP_DONTUNMAP leaves an empty area', async (mm) => {
      await anon(mm, 0, 2)
      return mm.mremap(page(0), pages(2), pages(2), MOVE_TO | MREMAP_DONTUNMAP, page(8))
    }, page(8), '0-2 rw-p, 8-10 rw-p'],
    ['onto the neighbour joins with it', async (mm) => {
      await anon(mm, 0, 2)
      await anon(mm, 4, 2)
      return mm.mremap(page(4), pages(2), pages(2), MOVE_TO, page(2))
    }, page(2), '0-4 rw-p'],
  ])

  test('the offset moves along', async () => {
    const mm = newMm()
    await mapFile(mm, 0, 4, mm.memory.createFile({ name: 'f', size: pages(9) }), MAP_SHARED, 3)
    await mm.mremap(page(1), pages(2), pages(3), MOVE_TO, page(8))
    expect(maps(mm)).toBe('0-1 rw-s f+3, 3-4 rw-s f+6, 8-11 rw-s f+4')
  })
})

describe('brk', () => {
  const HEAP = page(16)
  const withHeap = (mm: Mm, ...ends: number[]) => async () => {
    mm.setBrk(HEAP + 0x123)
    const results: number[] = []
    for (const end of ends) results.push((await mm.brk(end)) - HEAP)
    return results
  }
  each([
    ['0 asks', (mm) => withHeap(mm, 0)(), [0x123], ''],
    ['below the start', (mm) => withHeap(mm, HEAP)(), [0x123], ''],
    ['inside the page of the start, which is not the heap', (mm) => withHeap(mm, HEAP + 0x200)(), [0x200], ''],
    ['grows by pages', (mm) => withHeap(mm, HEAP + 0x1001)(), [0x1001], '17-18 rw-p'],
    ['within the page', (mm) => withHeap(mm, HEAP + 0x1001, HEAP + 0x1ff0)(), [0x1001, 0x1ff0], '17-18 rw-p'],
    ['shrinks', (mm) => withHeap(mm, HEAP + 0x5000, HEAP + 0x2001)(), [0x5000, 0x2001], '17-19 rw-p'],
    ['shrinks to nothing', (mm) => withHeap(mm, HEAP + 0x5000, HEAP + 0x123)(), [0x5000, 0x123], ''],
    ['into another area', async (mm) => {
      await anon(mm, 20, 1, PROT_READ)
      return withHeap(mm, HEAP + 0x3000, HEAP + 0x4000, HEAP + 0x2000)()
    }, [0x3000, 0x3000, 0x2000], '17-18 rw-p, 20-21 r--p'],
    ['shrinks where the program has unmapped it all', async (mm) => {
      await withHeap(mm, HEAP + 0x3000)()
      await mm.munmap(HEAP, pages(9))
      return (await mm.brk(HEAP + 0x123)) - HEAP
    }, 0x3000, ''],
    ['above 2^53', (mm) => mm.brk(2 ** 53), 'RangeError', ''],
  ])

  test('setBrk with an end before the start', () => {
    expect(() => { newMm().setBrk(2, 1) }).toThrow(RangeError)
  })
})

describe('madvise', () => {
  each([
    ['unknown advice', (mm) => mm.madvise(page(0), 1, 99), 'EINVAL', ''],
    ['an odd address', (mm) => mm.madvise(page(0) + 1, 1, MADV_DONTNEED), 'EINVAL', ''],
    ['length 0 is nothing', (mm) => mm.madvise(page(0), 0, MADV_DONTNEED), undefined, ''],
    ['nothing there', (mm) => mm.madvise(page(0), 1, MADV_NORMAL), 'ENOMEM', ''],
    ['above 2^53', (mm) => mm.madvise(2 ** 53, 1, MADV_NORMAL), 'RangeError', ''],
    ['a hole, after all else is done', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 2, 2)
      await mm.madvise(page(0), pages(3), MADV_DONTFORK)
    }, 'ENOMEM', '0-1 rw-p, 2-3 rw-p, 3-4 rw-p'],
    ['flags split, and join again', async (mm) => {
      await anon(mm, 0, 3)
      await mm.madvise(page(1), pages(1), MADV_DONTFORK)
      await mm.madvise(page(0), pages(3), MADV_DOFORK)
    }, undefined, '0-3 rw-p'],
    ['MADV_WIPEONFORK of shared memory', async (mm) => {
      await sharedAnon(mm, 0, 1)
      await mm.madvise(page(0), 1, MADV_WIPEONFORK)
    }, 'EINVAL', '0-1 rw-s /dev/zero+0'],
    ['MADV_FREE of shared memory', async (mm) => {
      await sharedAnon(mm, 0, 1)
      await mm.madvise(page(0), 1, MADV_FREE)
    }, 'EINVAL', '0-1 rw-s /dev/zero+0'],
    ['MADV_REMOVE of private memory', async (mm) => {
      await anon(mm, 0, 1)
      await mm.madvise(page(0), 1, MADV_REMOVE)
    }, 'EINVAL', '0-1 rw-p'],
    ['MADV_REMOVE of a private file mapping', async (mm) => {
      await mapFile(mm, 0, 1, mm.memory.createFile({ name: 'f' }), MAP_PRIVATE)
      await mm.madvise(page(0), 1, MADV_REMOVE)
    }, 'EACCES', '0-1 rw-p f+0'],
    ['MADV_REMOVE of read-only shared memory', async (mm) => {
      await sharedAnon(mm, 0, 1, PROT_READ)
      await mm.madvise(page(0), 1, MADV_REMOVE)
    }, undefined, '0-1 r--s /dev/zero+0'],
    ['populate for read what may only be written', async (mm) => {
      await anon(mm, 0, 1, PROT_WRITE)
      await mm.madvise(page(0), pages(1), MADV_POPULATE_READ)
    }, 'EINVAL', '0-1 -w-p'],
    ['MADV_DONTNEED of locked memory', async (mm) => {
      await anon(mm, 0, 1, RW, MAP_LOCKED)
      await mm.madvise(page(0), 1, MADV_DONTNEED)
    }, 'EINVAL', '0-1 rw-p'],
    ['a hint', async (mm) => { await anon(mm, 0, 1); await mm.madvise(page(0), 1, MADV_COLD) }, undefined, '0-1 rw-p'],
    ['populate a hole', async (mm) => {
      await anon(mm, 0, 1)
      await mm.madvise(page(0), pages(2), MADV_POPULATE_READ)
    }, 'ENOMEM', '0-1 rw-p'],
    ['populate up to a hole', async (mm) => {
      await anon(mm, 0, 1)
      await anon(mm, 2, 1)
      return [await outcome(mm.madvise(page(0), pages(3), MADV_POPULATE_WRITE)), mm.pageTable.entries]
    }, ['ENOMEM', 1], '0-1 rw-p, 2-3 rw-p'],
    ['populate for write what may not be written', async (mm) => {
      await anon(mm, 0, 1, PROT_READ)
      await mm.madvise(page(0), pages(1), MADV_POPULATE_WRITE)
    }, 'EINVAL', '0-1 r--p'],
  ])

  test.each<[string, number[], number]>([
    ['MADV_DONTFORK', [MADV_DONTFORK], VM_DONTCOPY],
    ['MADV_DOFORK', [MADV_DONTFORK, MADV_DOFORK], 0],
    ['MADV_RANDOM', [MADV_RANDOM], VM_RAND_READ],
    ['MADV_SEQUENTIAL', [MADV_RANDOM, MADV_SEQUENTIAL], VM_SEQ_READ],
    ['MADV_NORMAL', [MADV_SEQUENTIAL, MADV_NORMAL], 0],
    ['MADV_HUGEPAGE', [MADV_NOHUGEPAGE, MADV_HUGEPAGE], VM_HUGEPAGE],
    ['MADV_NOHUGEPAGE', [MADV_HUGEPAGE, MADV_NOHUGEPAGE], VM_NOHUGEPAGE],
    ['MADV_DONTDUMP', [MADV_DONTDUMP], VM_DONTDUMP],
    ['MADV_DODUMP', [MADV_DONTDUMP, MADV_DODUMP], 0],
    ['MADV_WIPEONFORK', [MADV_WIPEONFORK], VM_WIPEONFORK],
    ['MADV_MERGEABLE', [MADV_MERGEABLE], VM_MERGEABLE],
    ['MADV_UNMERGEABLE', [MADV_MERGEABLE, MADV_UNMERGEABLE], 0],
  ])('%s', async (_, advices, bits) => {
    const mm = newMm()
    await anon(mm, 0, 3)
    for (const advice of advices) await mm.madvise(page(1), pages(1), advice)
    expect(mm.findVma(page(1))?.flags).toBe(RW | bits)
    expect(mm.findVma(page(0))?.flags).toBe(RW)
  })

  test('MADV_POPULATE_READ and _WRITE fill the pages', async () => {
    const mm = newMm()
    await anon(mm, 0, 4)
    await mm.madvise(page(0), pages(2), MADV_POPULATE_READ)
    expect([mm.pageTable.entries, mm.memory.frames.used]).toEqual([2, 1])
    await mm.madvise(page(0), pages(4), MADV_POPULATE_WRITE)
    expect([mm.pageTable.entries, mm.memory.frames.used]).toEqual([4, 5])
  })
})

describe('remap_file_pages', () => {
  each([
    ['private memory', async (mm) => { await anon(mm, 0, 2); await mm.remapFilePages(page(0), pages(1), 1) }, 'EINVAL', '0-2 rw-p'],
    ['a hole', (mm) => mm.remapFilePages(page(0), pages(1), 1), 'EINVAL', ''],
    ['length 0', (mm) => mm.remapFilePages(page(0), 0, 1), 'EINVAL', ''],
    ['another page of the same object', async (mm) => {
      await sharedAnon(mm, 0, 4)
      await mm.remapFilePages(page(1), pages(1), 3)
    }, undefined, '0-1 rw-s /dev/zero+0, 1-2 rw-s /dev/zero+3, 2-4 rw-s /dev/zero+2'],
    ['over two areas of it', async (mm) => {
      await sharedAnon(mm, 0, 4)
      await mm.remapFilePages(page(1), pages(1), 3)
      await mm.remapFilePages(page(0), pages(4), 0)
    }, undefined, '0-4 rw-s /dev/zero+0'],
    ['over its end', async (mm) => {
      await sharedAnon(mm, 0, 2)
      await mm.remapFilePages(page(1), pages(2), 0)
    }, 'EINVAL', '0-2 rw-s /dev/zero+0'],
  ])
})

describe('the stack', () => {
  const STACK = 0x1000
  test('a file that grows down is mapped from further in front, while there is something', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(9) })
    await mm.mmap(page(STACK), pages(2), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN, file, pages(3))
    await mm.growStack(page(STACK - 2))
    expect(maps(mm)).toBe('4094-4098 rw-p f+1 gd')
    expect(await outcome(mm.growStack(page(STACK - 4)))).toBe('ENOMEM')
  })

  each([
    ['grows to a page', async (mm) => {
      await anon(mm, STACK, 2, RW, MAP_GROWSDOWN)
      await mm.growStack(page(STACK - 2) + 5)
    }, undefined, '4094-4098 rw-p gd'],
    ['does not shrink', async (mm) => {
      await anon(mm, STACK, 2, RW, MAP_GROWSDOWN)
      await mm.growStack(page(STACK + 1))
    }, undefined, '4096-4098 rw-p gd'],
    ['not without a stack', async (mm) => { await anon(mm, STACK, 2); await mm.growStack(page(STACK - 1)) }, 'EFAULT', '4096-4098 rw-p'],
    ['not within 1 MiB of another area', async (mm) => {
      await anon(mm, STACK, 2, RW, MAP_GROWSDOWN)
      await anon(mm, STACK - 300, 1)
      await mm.growStack(page(STACK - 44))
    }, 'ENOMEM', '3796-3797 rw-p, 4096-4098 rw-p gd'],
    ['within 1 MiB of another stack, or of what nobody may access', async (mm) => {
      await anon(mm, STACK, 2, RW, MAP_GROWSDOWN)
      await anon(mm, STACK - 8, 2, RW, MAP_GROWSDOWN)
      await anon(mm, STACK - 20, 2, PROT_NONE)
      await mm.growStack(page(STACK - 4))
    }, undefined, '4076-4078 ---p, 4088-4090 rw-p gd, 4092-4098 rw-p gd'],
    ['beside what nobody may access, whatever lies behind it', async (mm) => {
      await anon(mm, STACK, 2, RW, MAP_GROWSDOWN)
      await anon(mm, STACK - 8, 2, PROT_NONE)
      await anon(mm, STACK - 20, 2)
      await mm.growStack(page(STACK - 4))
    }, undefined, '4076-4078 rw-p, 4088-4090 ---p, 4092-4098 rw-p gd'],
    ['grows by an access', async (mm) => {
      await anon(mm, STACK, 2, RW, MAP_GROWSDOWN)
      await mm.fault(page(STACK - 100) + 8, 'write')
    }, undefined, '3996-4098 rw-p gd'],
    ['by 8 MiB at most', async (mm) => {
      await anon(mm, STACK, 2, RW, MAP_GROWSDOWN)
      await mm.fault(page(STACK - 2047), 'write')
    }, 'EFAULT', '4096-4098 rw-p gd'],
    ['keeps its gap from a mmap', async (mm) => {
      await mm.mmap(MMAP_BASE - pages(1), 1, RW, ANON | MAP_GROWSDOWN | MAP_FIXED)
      return (MMAP_BASE - (await mm.mmap(0, 1, RW, ANON))) / PAGE_SIZE
    }, 258, '0x7ffff7efd000-0x7ffff7efe000 rw-p, 0x7ffff7ffe000-0x7ffff7fff000 rw-p gd'],
  ])
})

describe('the end', () => {
  test('system calls are ESRCH, accesses EFAULT, and exit is once', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    await mm.exit()
    const calls = [
      () => mm.mmap(0, 1, RW, ANON),
      () => mm.munmap(page(0), 1),
      () => mm.mprotect(page(0), 1, RW),
      () => mm.mremap(page(0), 1, 1, 0),
      () => mm.brk(0),
      () => mm.madvise(page(0), 1, MADV_NORMAL),
      () => mm.madvise(page(0), 1, MADV_DONTNEED),
      () => mm.fork('x'),
      () => mm.growStack(page(0)),
      () => mm.exit(),
    ]
    for (const call of calls) expect([call.toString(), await outcome(call())]).toEqual([call.toString(), 'ESRCH'])
    expect(await outcome(mm.read(page(0), 1))).toBe('EFAULT')
    expect(await mm.mmget()).toBe(false)
    expect(await outcome(mm.mmput())).toBe('REFCOUNT')
  })

  test('a user keeps the mappings until its mmput', async () => {
    const mm = newMm()
    await anon(mm, 0, 1)
    await poke(mm, 0, 1)
    expect(await mm.mmget()).toBe(true)
    await mm.exit()
    expect([mm.users, maps(mm)]).toEqual([1, '0-1 rw-p'])
    await mm.mmput()
    expect([mm.users, maps(mm), mm.pageTable.byteLength]).toEqual([0, '', 2048])
  })
})
