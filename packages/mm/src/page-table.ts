import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE } from './constants.ts'

/** Index bits of each level, the root first: x86-64 with five levels (PGD, P4D, PUD, PMD, PTE). */
export const X86_64_LEVELS: readonly number[] = [9, 9, 9, 9, 9]

/** The height, see {@link PageTable.nextTable}, of the tables that hold leaves and huge entries: x86-64's PMD tables, 1 GiB each. */
export const PMD_TABLE = 1

const NONE = -1
const ROOT = 0
const EMPTY = new Int32Array(0)

export interface PageTableOptions {
  /** A leaf stays when it is empty. */
  readonly keepsLeaves?: boolean
  /** By how much the entry of a page in a huge page differs from that of the page before it. */
  readonly hugeStep?: number
}

/**
 * A radix page table of 4 KiB pages with 32-bit entries, where 0 means that there is none. What the other bits mean is the owner's
 * business.
 *
 * A table of any level is one `Int32Array`: a leaf holds entries, a directory holds the ids of its tables, where 0 means none (the root
 * is nobody's child). Searches skip what is empty a whole table at a time, so a range may be as large as the address space. A leaf is
 * freed with its last entry, unless `keepsLeaves` is set; directories, and leaves then, are freed by {@link PageTable.freeTables}, as in
 * Linux at munmap, because their presence can be seen (mprotect, mremap).
 *
 * In the place of a leaf there may be a huge entry, a negative number, which maps all that the leaf would: {@link PageTable.get} and
 * {@link PageTable.readRange} know what it says of each page, and what works on entries one by one passes it over.
 *
 * Addresses are in bytes and page aligned, ranges are half open; a bad one is a RangeError. The page table knows no lock: its owner does.
 */
export class PageTable {
  /** The first address beyond the format: at most 2^53. */
  readonly limit: number
  readonly #sizes: readonly number[]
  /** For each level the bytes below one of its entries. */
  readonly #spans: readonly number[]
  readonly #leafLevel: number
  readonly #leafSpan: number
  readonly #tables: Int32Array[] = []
  /** For each table the entries in use. */
  readonly #counts: number[] = []
  readonly #freeTables: number[] = []
  #entries = 0
  #version = 0
  #byteLength = 0
  #hugeEntries = 0
  /** The leaf found last, by its number (address / span): faults and walks stay in one for a while. */
  #lastNumber = NONE
  #lastLeaf = NONE

  readonly #keepsLeaves: boolean
  readonly #hugeStep: number

  /**
   * @param levels index bits of each level, the root first, e.g. gp100: `[2, 9, 9, 8, 9]`
   */
  constructor(levels: readonly number[] = X86_64_LEVELS, { keepsLeaves = false, hugeStep = 0 }: PageTableOptions = {}) {
    this.#keepsLeaves = keepsLeaves
    this.#hugeStep = hugeStep
    if (levels.length === 0 || levels.some((bits) => !Number.isInteger(bits) || bits < 1 || bits > 20)) {
      throw new RangeError(`page table: expected at least one level of 1 to 20 bits, got [${levels.join(', ')}]`)
    }
    this.#sizes = levels.map((bits) => 2 ** bits)
    this.#spans = levels.map((_, level) => PAGE_SIZE * 2 ** levels.slice(level + 1).reduce((sum, bits) => sum + bits, 0))
    this.limit = Math.min(2 ** 53, this.#spans[0] * this.#sizes[0])
    this.#leafLevel = levels.length - 1
    this.#leafSpan = PAGE_SIZE * this.#sizes[this.#leafLevel]
    this.#allocate(0)
  }

  /** Entries in use, without the huge ones. */
  get entries(): number {
    return this.#entries
  }

  /** Counts changes of entries: while it is the same, so is every entry. */
  get version(): number {
    return this.#version
  }

  /** Bytes of all tables, directories included. */
  get byteLength(): number {
    return this.#byteLength
  }

  /** @returns the entry, 0 for none */
  get(address: number): number {
    this.#check(address)
    const number = Math.floor(address / this.#leafSpan)
    const leaf = this.#findLeaf(number)
    const index = (address - number * this.#leafSpan) / PAGE_SIZE
    return leaf === NONE ? this.#inHuge(number, index) : this.#tables[leaf][index]
  }

  /** Sets or replaces an entry. @returns the old one, 0 for none */
  set(address: number, entry: number): number {
    if (entry === 0 || (entry | 0) !== entry) throw new RangeError(`page table: expected a 32-bit entry other than 0, got ${entry}`)
    this.#check(address)
    const number = Math.floor(address / this.#leafSpan)
    const leaf = this.#makeLeaf(number)
    const table = this.#tables[leaf]
    const index = (address - number * this.#leafSpan) / PAGE_SIZE
    const old = table[index]
    table[index] = entry
    this.#version++
    if (old === 0) {
      this.#counts[leaf]++
      this.#entries++
    }
    return old
  }

  /** Makes the leaf of `address`, and what is above it; it stays if leaves are kept. Linux: `pmd_alloc()`, `pte_alloc()`. */
  makeLeaf(address: number): void {
    this.#check(address)
    this.#makeLeaf(Math.floor(address / this.#leafSpan))
  }

  /** The huge entry that maps the address, as it was set; 0 for none. Linux: `pmdp_get()`. */
  getHuge(address: number): number {
    if (this.#hugeEntries === 0) return 0
    this.#check(address)
    return this.#inHuge(Math.floor(address / this.#leafSpan), 0)
  }

  /** Sets or replaces a huge entry. RangeError if it is not negative, where a leaf is, and for an address that is not where one would begin. */
  setHuge(address: number, entry: number): void {
    this.#check(address)
    if (!(entry < 0 && (entry | 0) === entry)) throw new RangeError(`page table: expected a negative 32-bit entry, got ${entry}`)
    if (this.#setSlot(address, entry) === 0) this.#hugeEntries++
  }

  /** Removes a huge entry if there is one. @returns the old one, 0 for none */
  clearHuge(address: number): number {
    const old = this.getHuge(address)
    if (old === 0) return 0
    this.#setSlot(address, 0)
    this.#hugeEntries--
    return old
  }

  /**
   * Moves a leaf with its entries, or a huge entry, from one aligned piece to another. @returns false when there is something already.
   * Linux: `move_normal_pmd()`, `move_huge_pmd()`.
   */
  moveLeaf(from: number, to: number): boolean {
    if (this.nextTable(to, to + this.#leafSpan) !== NONE) return false
    this.#setSlot(to, this.#setSlot(from, 0))
    return true
  }

  /** Removes an entry if there is one. @returns the old one, 0 for none */
  clear(address: number): number {
    this.#check(address)
    const number = Math.floor(address / this.#leafSpan)
    const leaf = this.#findLeaf(number)
    if (leaf === NONE) return 0
    const table = this.#tables[leaf]
    const index = (address - number * this.#leafSpan) / PAGE_SIZE
    const old = table[index]
    if (old === 0) return 0
    table[index] = 0
    this.#version++
    this.#entries--
    if (--this.#counts[leaf] === 0) this.#freeLeaf(number)
    return old
  }

  /** Copies the entries of `[start, end)` into `out`, from `index` on; 0 for none. */
  readRange(start: number, end: number, out: Int32Array, index = 0): void {
    this.#checkRange(start, end)
    for (let at = start; at < end; ) {
      const number = Math.floor(at / this.#leafSpan)
      const base = number * this.#leafSpan
      const to = Math.min(base + this.#leafSpan, end)
      const count = (to - at) / PAGE_SIZE
      const leaf = this.#findLeaf(number)
      if (leaf === NONE) {
        const entry = this.#inHuge(number, (at - base) / PAGE_SIZE)
        if (entry === 0) out.fill(0, index, index + count)
        else for (let i = 0; i < count; i++) out[index + i] = entry + i * this.#hugeStep
      } else {
        const table = this.#tables[leaf]
        for (let i = 0, first = (at - base) / PAGE_SIZE; i < count; i++) out[index + i] = table[first + i]
      }
      index += count
      at = to
    }
  }

  /** Visits the entries of `[start, end)` in order, without the huge ones, as all below. */
  forEachInRange(start: number, end: number, visit: (address: number, entry: number) => void): void {
    this.updateRange(start, end, (address, entry) => {
      visit(address, entry)
      return entry
    })
  }

  /** Removes the entries of `[start, end)`. @param cleared is told of each, in order */
  clearRange(start: number, end: number, cleared?: (address: number, entry: number) => void): void {
    this.updateRange(start, end, (address, entry) => {
      cleared?.(address, entry)
      return 0
    })
  }

  /**
   * Replaces each entry of `[start, end)`, in order, by what `update` returns; 0 removes it.
   * `update` may set entries outside of the range, and may not change any inside.
   */
  updateRange(start: number, end: number, update: (address: number, entry: number) => number): void {
    for (let from = this.nextTable(start, end); from !== NONE; ) {
      const number = Math.floor(from / this.#leafSpan)
      const base = number * this.#leafSpan
      const to = Math.min(base + this.#leafSpan, end)
      const leaf = this.#findLeaf(number)
      const table = leaf === NONE ? EMPTY : this.#tables[leaf]
      const stop = leaf === NONE ? from : to
      for (let index = (from - base) / PAGE_SIZE, address = from; address < stop; index++, address += PAGE_SIZE) {
        const old = table[index]
        if (old === 0) continue
        const entry = update(address, old)
        if (entry === old) continue
        table[index] = entry
        this.#version++
        if (entry !== 0) continue
        this.#counts[leaf]--
        this.#entries--
      }
      if (leaf !== NONE && this.#counts[leaf] === 0) this.#freeLeaf(number)
      from = to < end ? this.nextTable(to, end) : NONE
    }
  }

  /**
   * The first address in `[start, end)` below which there is a table of this height, or -1. Height 0 are the leaves, and huge entries, 1
   * the tables of leaves (x86-64: the PMD table of 1 GiB), and so on. A directory may be empty, and a leaf too where they are kept.
   */
  nextTable(start: number, end: number, height = 0): number {
    this.#checkRange(start, end)
    const target = this.#leafLevel - height
    if (!(target >= 0 && height >= 0)) throw new RangeError(`page table: expected a height of 0 to ${this.#leafLevel}, got ${height}`)
    if (Math.floor(start / this.#leafSpan) === this.#lastNumber) return start // around a leaf there are tables of every height
    for (let at = start; at < end; ) {
      let table = ROOT
      let level = 0
      let slot = 0
      for (; level < target; level++) {
        slot = this.#indexAt(level, at)
        const child = this.#tables[table][slot]
        if (child === 0) break
        table = child
      }
      if (level === target) return at // or a huge entry, which is in the place of a leaf
      const entries = this.#tables[table]
      const span = this.#spans[level]
      const number = Math.floor(at / span)
      const slots = Math.min(this.#sizes[level] - slot, Math.ceil(end / span) - number)
      let empty = 1
      while (empty < slots && entries[slot + empty] === 0) empty++
      at = (number + empty) * span
    }
    return NONE
  }

  /** The end of the largest aligned piece around `address` that holds no table; where there is a leaf, or a huge entry, its end. */
  pieceEnd(address: number): number {
    this.#check(address)
    const number = Math.floor(address / this.#leafSpan)
    if (number === this.#lastNumber) return (number + 1) * this.#leafSpan
    let table = ROOT
    let level = 0
    for (; level < this.#leafLevel; level++) {
      table = this.#tables[table][this.#indexAt(level, address)]
      if (table <= 0) break
    }
    const span = level === this.#leafLevel ? this.#leafSpan : this.#spans[level]
    return (Math.floor(address / span) + 1) * span
  }

  /**
   * Frees the empty directories around `[start, end)`, but for those whose addresses `inUse` claims: something may come back there.
   * Linux: `free_pgd_range()`.
   * @param inUse is asked with a half-open range that holds no entry
   */
  freeTables(start: number, end: number, inUse: (start: number, end: number) => boolean = () => false): void {
    this.#checkRange(start, end)
    this.#freeBelow(ROOT, 0, 0, start, end, inUse)
  }

  #freeBelow(table: number, level: number, base: number, start: number, end: number, inUse: (start: number, end: number) => boolean): void {
    if (level >= (this.#keepsLeaves ? this.#leafLevel : this.#leafLevel - 1)) return
    const span = this.#spans[level]
    const entries = this.#tables[table]
    const last = Math.min(Math.floor((end - 1 - base) / span), this.#sizes[level] - 1)
    for (let index = Math.max(Math.floor((start - base) / span), 0); index <= last; index++) {
      const child = entries[index]
      if (child <= 0) continue
      const childBase = base + index * span
      this.#freeBelow(child, level + 1, childBase, start, end, inUse)
      if (this.#counts[child] > 0 || inUse(childBase, childBase + span)) continue
      entries[index] = 0
      if (child === this.#lastLeaf) this.#lastNumber = NONE
      this.#counts[table]--
      this.#release(child)
    }
  }

  #indexAt(level: number, address: number): number {
    const entry = Math.floor(address / this.#spans[level])
    return entry - Math.floor(entry / this.#sizes[level]) * this.#sizes[level] // % of large numbers is slow
  }

  #findLeaf(number: number): number {
    if (number === this.#lastNumber) return this.#lastLeaf
    const address = number * this.#leafSpan
    let table = ROOT
    for (let level = 0; level < this.#leafLevel; level++) {
      table = this.#tables[table][this.#indexAt(level, address)]
      if (table <= 0) return NONE
    }
    this.#lastNumber = number
    return (this.#lastLeaf = table)
  }

  /** What the huge entry in the place of a leaf says of its page `index`. */
  #inHuge(number: number, index: number): number {
    if (this.#hugeEntries === 0) return 0
    const address = number * this.#leafSpan
    let table = ROOT
    for (let level = 0; level < this.#leafLevel && table >= 0; level++) {
      table = this.#tables[table][this.#indexAt(level, address)]
      if (table === 0) return 0
    }
    return table < 0 ? table + index * this.#hugeStep : 0
  }

  /** Puts a leaf, a huge entry or nothing in the place of a leaf. @returns what was there */
  #setSlot(address: number, slot: number): number {
    if (Math.floor(address / this.#leafSpan) * this.#leafSpan !== address) {
      throw new RangeError(`page table: expected the start of what a leaf covers, got ${hex(address)}`)
    }
    let table = ROOT
    for (let level = 0; level < this.#leafLevel - 1; level++) table = this.#makeChild(table, level, address)
    const index = this.#indexAt(this.#leafLevel - 1, address)
    const old = this.#tables[table][index]
    if (slot < 0 && old > 0) throw new RangeError(`page table: a leaf is at ${hex(address)}, and no huge entry can be`)
    this.#tables[table][index] = slot
    this.#version++
    this.#counts[table] += (slot === 0 ? 0 : 1) - (old === 0 ? 0 : 1)
    this.#lastNumber = NONE
    return old
  }

  #makeLeaf(number: number): number {
    const found = this.#findLeaf(number)
    if (found !== NONE) return found
    const address = number * this.#leafSpan
    let table = ROOT
    for (let level = 0; level < this.#leafLevel; level++) table = this.#makeChild(table, level, address)
    this.#lastNumber = number
    return (this.#lastLeaf = table)
  }

  #makeChild(table: number, level: number, address: number): number {
    const index = this.#indexAt(level, address)
    const child = this.#tables[table][index]
    if (child > 0) return child
    if (child < 0) throw new RangeError(`page table: a huge entry is at ${hex(address)}, and no leaf can be`)
    this.#counts[table]++
    return (this.#tables[table][index] = this.#allocate(level + 1))
  }

  #freeLeaf(number: number): void {
    if (this.#leafLevel === 0 || this.#keepsLeaves) return // the root stays
    const address = number * this.#leafSpan
    let table = ROOT
    for (let level = 0; level < this.#leafLevel - 1; level++) table = this.#tables[table][this.#indexAt(level, address)]
    const index = this.#indexAt(this.#leafLevel - 1, address)
    const leaf = this.#tables[table][index]
    this.#tables[table][index] = 0
    this.#counts[table]--
    this.#release(leaf)
    this.#lastNumber = NONE
  }

  #allocate(level: number): number {
    const table = new Int32Array(this.#sizes[level])
    const id = this.#freeTables.pop() ?? this.#tables.length
    this.#tables[id] = table
    this.#counts[id] = 0
    this.#byteLength += table.byteLength
    return id
  }

  #release(id: number): void {
    this.#byteLength -= this.#tables[id].byteLength
    this.#tables[id] = EMPTY
    this.#freeTables.push(id)
  }

  #check(address: number): void {
    if (!(address >= 0 && address < this.limit && aligned(address))) throw this.#error('address', address)
  }

  #checkRange(start: number, end: number): void {
    this.#check(start)
    if (!(end > start && end <= this.limit && aligned(end))) throw this.#error('end of a range', end)
  }

  #error(what: string, value: number): RangeError {
    return new RangeError(`page table: expected a page aligned ${what} below ${hex(this.limit)}, got ${hex(value)}`)
  }
}

function aligned(address: number): boolean {
  const page = address / PAGE_SIZE
  return Math.floor(page) === page
}
