import { PAGE_SIZE, PageTable, ZERO_FRAME } from '@mmu-notifier/mm'

/*
 * An entry of the device's table: frame << 4 | bits; 0 is none.
 */

/** There is an entry: the device may read. */
const VALID = 1
/** Linux: `DPT_XA_TAG_WRITE`. */
const WRITE = 2
/** The device has the page for itself; it may not write by WRITE commands. Linux: `DPT_XA_TAG_ATOMIC`. */
const ATOMIC = 4
/** The page of a device's memory itself, which no CPU can reach, and not what is behind it: the driver's bug 10. */
const UNBACKED = 8
const FRAME_SHIFT = 4

/** What the table says of a page: nothing, the zero page, read-only, writable, exclusive. */
export type TableEntry = '.' | 'z' | 'r' | 'w' | 'a'

const KINDS = ['.', 'z', 'r', 'w', 'a'] as const
const CHARACTERS = Uint8Array.from(KINDS, (kind) => kind.charCodeAt(0))

/** An index of {@link KINDS}. */
function kindOf(entry: number): 0 | 1 | 2 | 3 | 4 {
  if (entry === 0) return 0
  if (entry & ATOMIC) return 4
  if (entry & WRITE) return 3
  return entry >> FRAME_SHIFT === ZERO_FRAME ? 1 : 2
}

/** The device's page table: a number for each page. Linux: the xarray `dmirror->pt`. It changes under the mutex. */
export class DmirrorTable {
  readonly #table = new PageTable()
  /** Of the last look at a range. */
  #entries = new Int32Array(0)
  /** By frame the entries that map it: kept from the first time that somebody asks. */
  #uses: Map<number, number> | undefined

  /** Bytes. */
  get byteLength(): number {
    return this.#table.byteLength
  }

  /** As {@link PageTable.version}. */
  get version(): number {
    return this.#table.version
  }

  look(address: number): TableEntry {
    return KINDS[kindOf(this.#table.get(address))]
  }

  /** The same for each page from `address` on, as characters. */
  lookRange(address: number, out: Uint8Array): void {
    if (this.#entries.length !== out.length) this.#entries = new Int32Array(out.length)
    const entries = this.#entries
    this.#table.readRange(address, address + out.length * PAGE_SIZE, entries)
    out.fill(CHARACTERS[0])
    for (let i = 0; i < entries.length; i++) if (entries[i] !== 0) out[i] = CHARACTERS[kindOf(entries[i])]
  }

  /** @param unbacked the frame is one of a device's memory, as `rangeFault` returned it */
  store(address: number, frame: number, rights: 'read' | 'write' | 'atomic', unbacked = false): void {
    const bits = rights === 'read' ? VALID : rights === 'write' ? VALID | WRITE : VALID | ATOMIC
    const old = this.#table.set(address, (frame << FRAME_SHIFT) | bits | (unbacked ? UNBACKED : 0))
    if (!this.#uses) return
    if (old !== 0) this.#count(old >> FRAME_SHIFT, -1)
    this.#count(frame, 1)
  }

  erase(address: number): void {
    const old = this.#table.clear(address)
    if (this.#uses && old !== 0) this.#count(old >> FRAME_SHIFT, -1)
  }

  /** Erases the pages of `start .. end`, `end` included: one too many, as Linux does. */
  eraseInclusive(start: number, end: number): void {
    this.erasePages(start, end + 1)
  }

  /** Erases every page that `[start, end)` touches. */
  erasePages(start: number, end: number): void {
    const from = Math.floor(start / PAGE_SIZE) * PAGE_SIZE
    const to = this.#end(end)
    if (from >= to) return
    this.#table.clearRange(from, to, this.#uses && ((_, entry) => { this.#count(entry >> FRAME_SHIFT, -1) }))
  }

  /** Whether an entry maps the frame. */
  maps(frame: number): boolean {
    if (!this.#uses) {
      this.#uses = new Map()
      this.#table.forEachInRange(0, this.#table.limit, (_, entry) => { this.#count(entry >> FRAME_SHIFT, 1) })
    }
    return (this.#uses.get(frame) ?? 0) > 0
  }

  /** Each entry from `start` on, below `end`: what it maps, and what the device may do with it. */
  forEachInRange(start: number, end: number, visit: (address: number, frame: number, entry: TableEntry) => void): void {
    this.#table.forEachInRange(start, this.#end(end), (address, entry) => { visit(address, entry >> FRAME_SHIFT, KINDS[kindOf(entry)]) })
  }

  /** The frame for an access, or -1 without an entry that allows it. */
  frame(address: number, write: boolean): number {
    const entry = this.#table.get(address)
    return (write ? entry & WRITE : entry) ? entry >> FRAME_SHIFT : -1
  }

  isUnbacked(address: number): boolean {
    return (this.#table.get(address) & UNBACKED) !== 0
  }

  isAtomic(address: number): boolean {
    return (this.#table.get(address) & ATOMIC) !== 0
  }

  #count(frame: number, by: number): void {
    this.#uses?.set(frame, (this.#uses.get(frame) ?? 0) + by)
  }

  #end(end: number): number {
    return Math.min(Math.ceil(end / PAGE_SIZE) * PAGE_SIZE, this.#table.limit)
  }
}
