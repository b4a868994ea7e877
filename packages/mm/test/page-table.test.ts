import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { PAGE_SIZE, PageTable } from '../src/index.ts'
import { random } from './helpers.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30
const TIB = 2 ** 40

function entries(table: PageTable, start: number, end: number): [number, number][] {
  const found: [number, number][] = []
  table.forEachInRange(start, end, (address, entry) => found.push([address, entry]))
  return found
}

describe('a page table', () => {
  test('set, get, clear return what was there', () => {
    const table = new PageTable()
    expect(table.get(PAGE_SIZE)).toBe(0)
    expect(table.set(PAGE_SIZE, 7)).toBe(0)
    expect(table.set(PAGE_SIZE, -8)).toBe(7)
    expect(table.get(PAGE_SIZE)).toBe(-8)
    expect(table.get(0)).toBe(0)
    expect(table.entries).toBe(1)
    expect(table.clear(PAGE_SIZE)).toBe(-8)
    expect(table.clear(PAGE_SIZE)).toBe(0)
    expect(table.entries).toBe(0)
  })

  test('the highest page below 2^53 can be mapped, and none above', () => {
    const table = new PageTable()
    const last = 2 ** 53 - PAGE_SIZE
    table.set(last, 5)
    expect(table.get(last)).toBe(5)
    expect(entries(table, 0, 2 ** 53)).toEqual([[last, 5]])
  })

  test.each([-PAGE_SIZE, 1, PAGE_SIZE / 2, 2 ** 53, 2 ** 60, NaN, Infinity])('address %d is a RangeError', (address) => {
    const table = new PageTable()
    expect(() => table.get(address)).toThrow(RangeError)
    expect(() => table.set(address, 1)).toThrow(RangeError)
    expect(() => table.clear(address)).toThrow(RangeError)
    expect(() => table.pieceEnd(address)).toThrow(RangeError)
  })

  test.each([[0, 0], [PAGE_SIZE, 0], [0, 1], [0, 2 ** 53 + PAGE_SIZE], [1, PAGE_SIZE]])('range [%d, %d) is a RangeError', (start, end) => {
    const table = new PageTable()
    expect(() => { table.clearRange(start, end) }).toThrow(RangeError)
    expect(() => table.nextTable(start, end)).toThrow(RangeError)
    expect(() => { table.freeTables(start, end) }).toThrow(RangeError)
  })

  test.each([0, 1.5, 2 ** 31, NaN])('entry %d is a RangeError', (entry) => {
    expect(() => new PageTable().set(0, entry)).toThrow(RangeError)
  })

  test.each([[[]], [[0]], [[9.5]], [[21]]])('levels %j are a RangeError', (levels) => {
    expect(() => new PageTable(levels)).toThrow(RangeError)
  })

  test('a format limits the addresses: gp100 has 49 bits', () => {
    const table = new PageTable([2, 9, 9, 8, 9])
    expect(table.limit).toBe(2 ** 49)
    table.set(2 ** 49 - PAGE_SIZE, 1)
    expect(() => table.get(2 ** 49)).toThrow(RangeError)
    expect(entries(table, 0, table.limit)).toEqual([[2 ** 49 - PAGE_SIZE, 1]])
  })

  test('one level alone works', () => {
    const table = new PageTable([4])
    for (let page = 0; page < 16; page++) table.set(page * PAGE_SIZE, page + 1)
    table.clearRange(PAGE_SIZE, 15 * PAGE_SIZE)
    expect(entries(table, 0, table.limit)).toEqual([[0, 1], [15 * PAGE_SIZE, 16]])
    expect(table.byteLength).toBe(64)
  })
})

describe('ranges', () => {
  test('clearRange tells of each entry in order, and leaves what is outside', () => {
    const table = new PageTable()
    const at = [0, 2 * MIB - PAGE_SIZE, 2 * MIB, GIB, 3 * TIB]
    at.forEach((address, i) => table.set(address, i + 1))
    const cleared: number[] = []
    table.clearRange(2 * MIB - PAGE_SIZE, 3 * TIB, (address) => cleared.push(address))
    expect(cleared).toEqual([2 * MIB - PAGE_SIZE, 2 * MIB, GIB])
    expect(entries(table, 0, table.limit)).toEqual([[0, 1], [3 * TIB, 5]])
    expect(table.entries).toBe(2)
  })

  test('updateRange replaces, keeps and removes, and may set entries elsewhere in the same leaf', () => {
    const table = new PageTable()
    for (let page = 0; page < 4; page++) table.set(page * PAGE_SIZE, page + 1)
    table.updateRange(0, 4 * PAGE_SIZE, (address, entry) => {
      table.set(address + 8 * PAGE_SIZE, entry)
      return entry === 2 ? entry : entry === 3 ? 30 : 0
    })
    expect(entries(table, 0, 64 * PAGE_SIZE).map(([, entry]) => entry)).toEqual([2, 30, 1, 2, 3, 4])
    expect(table.entries).toBe(6)
  })

  test('a walk over everything visits only what is there, whatever lies between', () => {
    const table = new PageTable()
    table.set(0, 1)
    table.set(2 ** 47, 2)
    let visited = 0
    table.forEachInRange(0, table.limit, () => visited++)
    expect(visited).toBe(2)
  })

  test('nextTable finds the next leaf, and the next table of leaves', () => {
    const table = new PageTable()
    table.set(5 * GIB + 4 * MIB, 1)
    expect(table.nextTable(0, TIB)).toBe(5 * GIB + 4 * MIB)
    expect(table.nextTable(5 * GIB + 5 * MIB, TIB)).toBe(5 * GIB + 5 * MIB)
    expect(table.nextTable(5 * GIB + 6 * MIB, TIB)).toBe(-1)
    expect(table.nextTable(0, TIB, 1)).toBe(5 * GIB)
    expect(table.nextTable(5 * GIB + 6 * MIB, TIB, 1)).toBe(5 * GIB + 6 * MIB)
    expect(table.nextTable(6 * GIB, TIB, 1)).toBe(-1)
    expect(() => table.nextTable(0, TIB, 5)).toThrow(RangeError)
  })

  test('pieceEnd is the end of the leaf, or of the largest piece without one', () => {
    const table = new PageTable()
    expect(table.pieceEnd(PAGE_SIZE)).toBe(2 ** 48)
    table.set(0, 1)
    expect(table.pieceEnd(PAGE_SIZE)).toBe(2 * MIB)
    expect(table.pieceEnd(3 * MIB)).toBe(4 * MIB)
    expect(table.pieceEnd(GIB)).toBe(2 * GIB)
    expect(table.pieceEnd(513 * GIB)).toBe(1024 * GIB)
  })
})

describe('memory', () => {
  test('an empty table is its root; a page needs one table a level; the last entry frees the leaf, freeTables the rest', () => {
    const table = new PageTable()
    expect(table.byteLength).toBe(2048)
    table.set(TIB, 1)
    expect(table.byteLength).toBe(5 * 2048)
    table.clear(TIB)
    expect(table.byteLength).toBe(4 * 2048)
    expect(table.nextTable(0, 2 * TIB, 1)).toBe(TIB)
    table.freeTables(TIB, TIB + PAGE_SIZE)
    expect(table.byteLength).toBe(2048)
    expect(table.nextTable(0, 2 * TIB, 1)).toBe(-1)
  })

  test('freeTables leaves directories with entries, those that are in use, and those elsewhere', () => {
    const table = new PageTable()
    table.set(0, 1)
    table.set(GIB, 2)
    table.set(2 * GIB, 3)
    table.set(TIB, 4)
    table.clearRange(0, GIB)
    table.clearRange(2 * GIB, 2 * TIB)
    table.freeTables(0, 3 * GIB, (start) => start === 2 * GIB)
    expect(table.nextTable(0, GIB, 1)).toBe(-1)
    expect(table.nextTable(GIB, 2 * GIB, 1)).toBe(GIB)
    expect(table.nextTable(2 * GIB, 3 * GIB, 1)).toBe(2 * GIB)
    expect(table.nextTable(3 * GIB, 2 * TIB, 1)).toBe(TIB)
    expect(table.get(GIB)).toBe(2)
  })

  test('sixteen pages apart by 2 MiB and freed again leave no leaf behind', () => {
    const table = new PageTable()
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 16; i++) table.set(i * 2 * MIB, i + 1)
      expect(table.byteLength).toBe((4 + 16) * 2048)
      table.clearRange(0, GIB)
      expect(table.byteLength).toBe(4 * 2048)
    }
  })
})

/** The first address in pages `[from, end)` that is in a leaf of `size` pages, or -1. */
function nextLeaf(model: ReadonlyMap<number, number>, size: number, from: number, end: number): number {
  let first = Infinity
  for (const page of model.keys()) {
    const leaf = page - (page % size)
    if (leaf + size > from && leaf < end) first = Math.min(first, Math.max(leaf, from))
  }
  return first === Infinity ? -1 : first * PAGE_SIZE
}

test.each([1, 2, 3, 4])('agrees with a Map in random calls, seed %d', (seed) => {
  const draw = random(seed)
  const table = new PageTable([3, 2, 4, 3])
  const model = new Map<number, number>()
  const total = table.limit / PAGE_SIZE
  for (let step = 0; step < 3000; step++) {
    const page = draw(total)
    const end = Math.min(total, page + 1 + draw(draw(4) === 0 ? total : 20))
    const address = page * PAGE_SIZE
    const choice = draw(10)
    const before = [table.version, new Map(model)] as const
    if (choice < 5) {
      expect(table.set(address, step + 1)).toBe(model.get(page) ?? 0)
      model.set(page, step + 1)
    } else if (choice < 7) {
      expect(table.clear(address)).toBe(model.get(page) ?? 0)
      model.delete(page)
    } else if (choice === 7) {
      table.clearRange(address, end * PAGE_SIZE)
      for (let p = page; p < end; p++) model.delete(p)
    } else if (choice === 8) table.freeTables(address, end * PAGE_SIZE, () => draw(2) === 0)
    else {
      table.updateRange(address, end * PAGE_SIZE, (_, entry) => (entry % 3 === 0 ? 0 : entry + 1))
      for (let p = page; p < end; p++) {
        const entry = model.get(p)
        if (entry !== undefined) if (entry % 3 === 0) model.delete(p)
          else model.set(p, entry + 1)
      }
    }
    expect([table.entries, table.version !== before[0]]).toEqual([model.size, !isDeepStrictEqual(model, before[1])])
    expect(table.nextTable(address, end * PAGE_SIZE)).toBe(nextLeaf(model, 8, page, end))
    const piece = table.pieceEnd(address) / PAGE_SIZE
    if (nextLeaf(model, 8, page, page + 1) === -1) expect(nextLeaf(model, 8, page, piece)).toBe(-1)
    else expect(piece).toBe(page - (page % 8) + 8)
  }
  const expected = [...model].sort(([a], [b]) => a - b).map(([page, entry]) => [page * PAGE_SIZE, entry])
  expect(entries(table, 0, table.limit)).toEqual(expected)
  for (let p = 0; p < total; p++) expect(table.get(p * PAGE_SIZE)).toBe(model.get(p) ?? 0)
})

describe('huge entries', () => {
  const HUGE = 512 * PAGE_SIZE
  const ENTRY = -(2 ** 31) | (512 << 4)
  const table = (): PageTable => new PageTable(undefined, { keepsLeaves: true, hugeStep: 16 })

  test('are found from each page below, and take no leaf', () => {
    const huge = table()
    huge.setHuge(HUGE, ENTRY | 1)
    expect([huge.get(HUGE), huge.get(HUGE + 3 * PAGE_SIZE), huge.get(0), huge.get(2 * HUGE)]).toEqual([ENTRY | 1, (ENTRY | 1) + 48, 0, 0])
    expect([huge.getHuge(HUGE + PAGE_SIZE), huge.entries, entries(huge, 0, GIB)]).toEqual([ENTRY | 1, 0, []])
    const out = new Int32Array(4)
    huge.readRange(HUGE - PAGE_SIZE, HUGE + 3 * PAGE_SIZE, out)
    expect([...out]).toEqual([0, ENTRY | 1, (ENTRY | 1) + 16, (ENTRY | 1) + 32])
    expect([huge.nextTable(0, GIB), huge.nextTable(0, GIB, 1), huge.pieceEnd(HUGE)]).toEqual([HUGE, 0, 2 * HUGE])
  })

  test('are replaced and removed; the table around them goes when it is empty', () => {
    const huge = table()
    const empty = huge.byteLength
    huge.setHuge(0, ENTRY | 1)
    const { version } = huge
    huge.setHuge(0, ENTRY | 2)
    expect(huge.version).not.toBe(version)
    huge.freeTables(0, GIB)
    expect([huge.getHuge(0), huge.clearHuge(0), huge.clearHuge(0)]).toEqual([ENTRY | 2, ENTRY | 2, 0])
    huge.freeTables(0, GIB)
    expect([huge.byteLength, huge.nextTable(0, TIB)]).toEqual([empty, -1])
  })

  test('and leaves exclude each other', () => {
    const huge = table()
    huge.set(PAGE_SIZE, 5)
    expect(() => { huge.setHuge(0, ENTRY) }).toThrow(RangeError)
    huge.setHuge(HUGE, ENTRY)
    expect(() => huge.set(HUGE + PAGE_SIZE, 5)).toThrow(RangeError)
    expect(() => { huge.makeLeaf(HUGE) }).toThrow(RangeError)
    expect(() => { huge.setHuge(2 * HUGE, 5) }).toThrow(RangeError)
    expect(() => { huge.setHuge(3 * HUGE + PAGE_SIZE, ENTRY) }).toThrow('expected the start of what a leaf covers, got 0x601000')
  })

  test('move like leaves, but not onto one', () => {
    const huge = table()
    huge.set(PAGE_SIZE, 5)
    huge.setHuge(HUGE, ENTRY)
    expect([huge.moveLeaf(0, HUGE), huge.moveLeaf(HUGE, 0), huge.moveLeaf(0, 4 * HUGE), huge.moveLeaf(HUGE, 0)]).toEqual([false, false, true, true])
    expect([huge.get(PAGE_SIZE), huge.get(4 * HUGE + PAGE_SIZE), huge.get(HUGE), huge.entries]).toEqual([ENTRY + 16, 5, 0, 1])
  })
})
