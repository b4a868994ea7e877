import { RULES, type IntervalNotifier } from '@mmu-notifier/core'
import { describe, expect, test } from 'vitest'
import {
  MADV_DONTNEED, MAP_PRIVATE, PFN_SHIFT, PFN_VALID, PFN_WRITE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, type Mm,
} from '../src/index.ts'
import { anon, mapFile, newMm, outcome, page, pages, poke, recordEvents, sharedAnon } from './helpers.ts'

const ops = {
  async invalidate(notifier: IntervalNotifier, _: unknown, seq: number): Promise<boolean> {
    await notifier.setSeq(seq)
    return true
  },
}

/** The rights of pages `[first, first + count)`, `w`, `r` or `.`; or `busy`, or the errno. */
async function rangeFault(
  mm: Mm,
  first: number,
  count: number,
  access: 'read' | 'write',
  meanwhile?: () => Promise<unknown>,
): Promise<unknown> {
  const notifier = await mm.notifiers.insert({ start: page(0), last: page(1000) - 1 }, ops)
  const seq = await notifier.readBegin()
  await meanwhile?.()
  try {
    return await outcome(
      mm.rangeFault({ notifier, seq, start: page(first), end: page(first + count), access }).then((result) => {
        if (result === 'busy') return result
        for (const [i, pfn] of result.pfns.entries()) expect(pfn >> PFN_SHIFT).toBe(mm.pageTable.get(page(first + i)) >> 4)
        return [...result.pfns].map((pfn) => (pfn & PFN_WRITE ? 'w' : pfn & PFN_VALID ? 'r' : '.')).join('')
      }),
    )
  } finally {
    await notifier.remove()
  }
}

describe('rights', () => {
  test('what is there, without a fault', async () => {
    const mm = newMm()
    await anon(mm, 0, 3)
    await poke(mm, 0, 1)
    await mm.read(page(1), 1)
    await poke(mm, 2, 1)
    const faults: number[] = []
    mm.memory.kernel.on('mm:fault', (_, address) => faults.push(address))
    expect(await rangeFault(mm, 0, 3, 'read')).toBe('wrw')
    expect(faults).toEqual([])
  })

  test('what is missing is faulted: zero page for read, pages of its own for write', async () => {
    const mm = newMm()
    await anon(mm, 0, 4)
    await poke(mm, 1, 1)
    expect(await rangeFault(mm, 0, 4, 'read')).toBe('rwrr')
    expect(mm.memory.frames.used).toBe(2)
    expect(await rangeFault(mm, 2, 2, 'write')).toBe('busy')
    expect(await rangeFault(mm, 2, 2, 'write')).toBe('ww')
  })

  test('nothing to copy is not busy', async () => {
    const mm = newMm()
    await anon(mm, 0, 4)
    expect(await rangeFault(mm, 0, 4, 'write')).toBe('wwww')
  })

  test('over several areas and leaf tables', async () => {
    const mm = newMm()
    await anon(mm, 500, 10, PROT_READ)
    await anon(mm, 510, 10)
    await sharedAnon(mm, 520, 2)
    expect(await rangeFault(mm, 505, 17, 'read')).toBe('rrrrrrrrrrrrrrrww')
    expect(mm.pageTable.entries).toBe(17)
  })

  test('a file: shared pages are writable at once, private ones not', async () => {
    const mm = newMm()
    const file = mm.memory.createFile({ name: 'f', size: pages(2) })
    await mapFile(mm, 0, 2, file)
    await mapFile(mm, 10, 2, file, MAP_PRIVATE)
    expect([await rangeFault(mm, 0, 2, 'read'), await rangeFault(mm, 10, 2, 'read')]).toEqual(['ww', 'rr'])
  })
})

describe('errors', () => {
  test.each<[string, (mm: Mm) => Promise<unknown>, 'read' | 'write', unknown]>([
    ['no area', async () => undefined, 'read', 'EFAULT'],
    ['a hole behind', (mm) => anon(mm, 0, 3), 'read', 'EFAULT'],
    ['PROT_NONE', (mm) => anon(mm, 0, 4, PROT_NONE), 'read', 'EFAULT'],
    ['write alone, which HMM does not take for readable', (mm) => anon(mm, 0, 4, PROT_WRITE), 'read', 'EFAULT'],
    ['execute alone', (mm) => anon(mm, 0, 4, PROT_EXEC), 'read', 'EFAULT'],
    ['write of read-only memory', (mm) => anon(mm, 0, 4, PROT_READ), 'write', 'EPERM'],
    ['behind the end of a file', (mm) => mapFile(mm, 0, 4, mm.memory.createFile({ name: 'f', size: pages(3) })), 'read', 'EFAULT'],
  ])('%s', async (_, prepare, access, code) => {
    const mm = newMm()
    await prepare(mm)
    expect(await rangeFault(mm, 0, 4, access)).toBe(code)
  })

  test.each<[string, number, number]>([
    ['empty', 1, 1],
    ['inverted', 2, 1],
    ['outside of the notifier', 999, 1001],
    ['odd', 0.5, 2],
  ])('%s range', async (_, start, end) => {
    const mm = newMm()
    const notifier = await mm.notifiers.insert({ start: page(0), last: page(1000) - 1 }, ops)
    const seq = await notifier.readBegin()
    expect(await outcome(mm.rangeFault({ notifier, seq, start: page(start), end: page(end), access: 'read' }))).toBe('EINVAL')
  })

  test('the pages before a bad one stay faulted', async () => {
    const mm = newMm()
    await anon(mm, 0, 3)
    await rangeFault(mm, 0, 4, 'write')
    expect(mm.pageTable.entries).toBe(3)
  })
})

describe('collisions', () => {
  test('an invalidation since readBegin is busy, one elsewhere is not', async () => {
    const mm = newMm()
    await anon(mm, 0, 4)
    await anon(mm, 2000, 1)
    expect(await rangeFault(mm, 0, 2, 'read', () => mm.madvise(page(0), pages(1), MADV_DONTNEED))).toBe('busy')
    expect(await rangeFault(mm, 0, 2, 'read', () => mm.munmap(page(2000), pages(1)))).toBe('rr')
  })

  test('its own copies are collisions too: what it found before them may be stale', async () => {
    const mm = newMm()
    await anon(mm, 0, 4)
    await poke(mm, 1, 1)
    await poke(mm, 2, 1)
    await mm.fork('child')
    const events = await recordEvents(mm)
    expect(await rangeFault(mm, 0, 4, 'write')).toBe('busy')
    expect(events()).toBe('clear 1-2, clear 2-3')
    expect(await rangeFault(mm, 0, 4, 'write')).toBe('wwww')
  })

  test('a munmap that waits for the mmap lock comes after, and is seen by readRetry', async () => {
    const mm = newMm()
    await anon(mm, 0, 2)
    const notifier = await mm.notifiers.insert({ start: page(0), last: page(2) - 1 }, ops)
    const seq = await notifier.readBegin()
    const task = mm.memory.kernel.spawn('munmap', () => mm.munmap(page(0), pages(2)))
    const result = await mm.rangeFault({ notifier, seq, start: page(0), end: page(2), access: 'read' })
    expect([result !== 'busy', await notifier.readRetry(seq)]).toEqual([true, false])
    await task.join()
    expect(await notifier.readRetry(seq)).toBe(true)
  })
})

describe('from the first missing page on, all of the area within the leaf table is faulted, present or not', () => {
  test.each<[string, number[], number[]]>([
    ['up to the end of the range', [504, 506], [505, 506, 507, 508, 509]],
    ['up to the end of the leaf table', [505, 506, 512, 513, 514], [507, 508, 509, 510, 511]],
    ['and on with the next missing one', [505, 506, 512, 514], [507, 508, 509, 510, 511, 513, 514]],
  ])('%s', async (_, present, expected) => {
    const mm = newMm()
    await anon(mm, 500, 30)
    for (const n of present) await poke(mm, n, 1)
    const faults: number[] = []
    mm.memory.kernel.on('mm:fault', (_mm, address) => faults.push((address - page(0)) / 4096))
    const first = Math.min(...present)
    expect(await rangeFault(mm, first, Math.max(...expected, ...present) - first + 1, 'write')).toMatch(/^w+$/)
    expect(faults).toEqual(expected)
  })
})

test('a callback reads no page tables: the rule, the chain of locks and the task', async () => {
  const mm = newMm()
  await anon(mm, 0, 2)
  await mm.notifiers.insert({ start: page(0), last: page(2) - 1 }, {
    async invalidate(notifier, _range, seq) {
      await mm.rangeFault({ notifier, seq, start: page(0), end: page(1), access: 'read' })
      return true
    },
  })
  await expect(mm.munmap(page(0), 4096)).rejects.toThrow(`LOCKDEP  task main calls rangeFault in a callback\n  rule: ${RULES.fault}\n  chain: mmap_lock -> mmu_notifier_invalidate_range_start -> rangeFault`)
})

describe('insertOverVma', () => {
  const number = (address: number): number => (address - page(0)) / 4096
  const found = async (mm: Mm, n: number): Promise<unknown> =>
    outcome(mm.insertOverVma(page(n) + 7, ops).then(({ start, last }) => [number(start), number(last + 1)]))

  test('covers the area; EFAULT outside', async () => {
    const mm = newMm()
    await anon(mm, 3, 4)
    expect([await found(mm, 5), await found(mm, 2), await found(mm, 7)]).toEqual([[3, 7], 'EFAULT', 'EFAULT'])
    expect(mm.pageAt(page(5) + 7)).toEqual({ start: page(5), end: page(6) })
  })

  test('hands on the data, and finds the one that is there, with a reference', async () => {
    const mm = newMm()
    await anon(mm, 0, 4)
    const first = await mm.insertOverVma(page(0), { ...ops }, 'mine')
    const again = await mm.insertOverVma(page(3), first.ops, 'yours')
    expect([again === first, first.data, first.references]).toEqual([true, 'mine', 3])
  })

  test('fills what its other notifiers leave of the area', async () => {
    const mm = newMm()
    await anon(mm, 0, 10)
    await mm.notifiers.insert({ start: page(2), last: page(4) - 1 }, ops)
    await mm.notifiers.insert({ start: page(8), last: page(20) - 1 }, ops)
    expect([await found(mm, 6), await found(mm, 0), await found(mm, 3)]).toEqual([[4, 8], [0, 2], [2, 4]])
  })

  test.each([
    ['grows over the address is found', 1, 4, true],
    ['gives the address up is not', 4, 1, false],
  ])('one that %s, before the update is applied', async (_, before, after, same) => {
    const mm = newMm()
    const { kernel } = mm.memory
    await anon(mm, 0, 4)
    const first = await mm.notifiers.insert({ start: page(0), last: page(before) - 1 }, ops)
    const tree = await mm.notifiers.lockTree()
    await tree.update(first, { start: page(0), last: page(after) - 1 })
    let notifier = first
    await kernel.spawn('fault', async () => { notifier = await mm.insertOverVma(page(3), ops) }).join()
    await tree.unlock()
    const intervals = mm.notifiers.intervals(ops).map(({ start, last }) => [number(start), number(last + 1)])
    expect([notifier === first, intervals]).toEqual([same, same ? [[0, 4]] : [[0, 1], [1, 4]]])
    const seq = await notifier.readBegin()
    expect(await outcome(mm.rangeFault({ notifier, seq, start: page(3), end: page(4), access: 'read' }))).toMatchObject({ start: page(3) })
  })
})
