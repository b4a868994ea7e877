import { PAGE_SIZE } from '@mmu-notifier/mm'

/** A direct-mapped cache of translations. It knows nothing of the page table: what was not flushed stays. */
export class Tlb {
  readonly #pages: Float64Array
  readonly #entries: Int32Array

  /** @param size entries, at least 1 */
  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`TLB: expected at least one entry, got ${size}`)
    this.#pages = new Float64Array(size).fill(-1)
    this.#entries = new Int32Array(size)
  }

  /** @returns the entry for the page at `address`, 0 on a miss */
  get(address: number): number {
    const slot = this.#slot(address)
    return this.#pages[slot] === address ? (this.#entries[slot] ?? 0) : 0
  }

  /** @param evicted is told of the entry that had to go */
  set(address: number, entry: number, evicted: (address: number, entry: number) => void): void {
    const slot = this.#slot(address)
    const page = this.#pages[slot] ?? -1
    if (page >= 0) evicted(page, this.#entries[slot] ?? 0)
    this.#pages[slot] = address
    this.#entries[slot] = entry
  }

  /** Drops the entries of pages in [start, last]. */
  drop(start: number, last: number, dropped: (address: number, entry: number) => void): void {
    this.forEach((address, entry, slot) => {
      if (address + PAGE_SIZE <= start || address > last) return
      this.#pages[slot] = -1
      dropped(address, entry)
    })
  }

  forEach(visit: (address: number, entry: number, slot: number) => void): void {
    this.#pages.forEach((address, slot) => {
      if (address >= 0) visit(address, this.#entries[slot] ?? 0, slot)
    })
  }

  #slot(address: number): number {
    return (address / PAGE_SIZE) % this.#pages.length
  }
}
