import { MmuNotifierError, type Cell, type Kernel } from '@mmu-notifier/kernel'
import type { AreaTree } from './area-tree.ts'
import { HUGE_PAGE_FRAMES, PAGE_SIZE } from './constants.ts'
import type { DevicePages } from './device-pages.ts'
import { errno } from './errno.ts'
import { FrameBytes } from './frame-bytes.ts'
import { MAX_FRAMES } from './pte.ts'

/** The page of zeros that read faults on private anonymous memory map. Always there, not counted, never written. Linux: `ZERO_PAGE()`. */
export const ZERO_FRAME = 0

/** Who may map the pages of an object: of a file, or private ones of some areas. Linux: what `folio->mapping` points to. */
export interface ReverseMap {
  /** The pages are private ones. Linux: `folio_test_anon()`. */
  readonly anonymous: boolean
  readonly areas: AreaTree
}

/** A task works on the page as a whole: migrates it, or gives it to a device. Linux: PG_locked. */
const LOCKED = 1
/** The memory of a device. Linux: ZONE_DEVICE. */
const DEVICE = 2
/**
 * One of {@link HUGE_PAGE_FRAMES} in a row that are one page: the first, the head, counts the references of all, and has the lock. Linux:
 * `PageCompound()`.
 */
const COMPOUND = 4

/** References, mappings, flags, index. */
const BYTES_A_FRAME = 4 + 4 + 1 + 8
/** Of an element of an array of objects. */
const BYTES_A_POINTER = 8

/**
 * The page frames of the machine: who uses each, and its bytes. A frame that was never written costs no 4 KiB. Linux: `struct page`, the
 * buddy allocator.
 *
 * A frame is free when its last reference is put; the number is then given out again, the last freed first, so that a stale translation is
 * soon a wrong one. A huge page is frames in a row from an aligned one on, with one count of references: all are freed at once. Every use
 * of a free frame is an error UAF that names the frame. Methods are synchronous and are not marked operations: inside mm they are called
 * under the page-table lock. What others look at without it is in cells, so that a checker knows: who waits for a page, and devices, which
 * use its bytes under a lock of their own.
 */
export class FrameTable {
  readonly #kernel: Kernel
  #references = new Int32Array(1024)
  #mappings = new Int32Array(1024)
  #flags = new Uint8Array(1024)
  /** The page of the object. A file, and an address, has more than 2^32. */
  #index = new Float64Array(1024)
  readonly #reverse: (ReverseMap | undefined)[] = []
  readonly #bytes: FrameBytes
  readonly #devices: DevicePages[] = []
  readonly #free: number[] = []
  /** Heads of huge pages that are free as a whole. */
  readonly #freeHuge: number[] = []
  /** By head: the huge entries that map the page as a whole. Linux: `folio_entire_mapcount()`. */
  readonly #hugeMappings = new Map<number, number>()
  /** By head: who uses the page outside of the page tables, each with a reference. Linux: `GUP_PIN_COUNTING_BIAS`, `_pincount`. */
  readonly #pins = new Map<number, number>()
  /** Pages that are locked. */
  readonly #locked: Cell<number>
  #hugeZero = 0
  #next = 1
  #used = 1

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#locked = kernel.cell('folio_lock', 0)
    this.#bytes = new FrameBytes(kernel)
    this.#references[ZERO_FRAME] = 1
  }

  /** Frames in use, the zero page included. */
  get used(): number {
    return this.#used
  }

  /** Bytes of the table: what a frame costs without its data. */
  get byteLength(): number {
    const { length } = this.#references
    return length * BYTES_A_FRAME + (this.#reverse.length + this.#bytes.length + this.#free.length) * BYTES_A_POINTER
  }

  /** A frame of zeros, with one reference, the caller's. ENOMEM when there is none left. Linux: `alloc_page()`. */
  allocate(): number {
    const frame = this.#free.pop() ?? this.#grow()
    this.#references[frame] = 1
    this.#used++
    this.#kernel.trace('mm:frame_alloc', frame)
    return frame
  }

  /** A huge page of zeros, with one reference, the caller's. @returns its head. ENOMEM. Linux: `folio_alloc()` of HPAGE_PMD_ORDER */
  allocateHuge(): number {
    const head = this.#freeHuge.pop() ?? this.#growHuge()
    this.#makeHuge(head)
    this.#used += HUGE_PAGE_FRAMES
    for (let frame = head; frame < head + HUGE_PAGE_FRAMES; frame++) this.#kernel.trace('mm:frame_alloc', frame)
    return head
  }

  /**
   * The head of the huge page of zeros that read faults map: like the zero page always there, not counted, never written. Linux:
   * `mm_get_huge_zero_folio()`.
   */
  hugeZero(): number {
    if (this.#hugeZero === 0) this.#makeHuge((this.#hugeZero = this.#growHuge()))
    return this.#hugeZero
  }

  /** Linux: `is_huge_zero_folio()`. */
  isHugeZero(frame: number): boolean {
    return this.#hugeZero !== 0 && this.head(frame) === this.#hugeZero
  }

  /** The frame is one of a huge page. It is so, too, when entries map it one by one. Linux: `folio_test_large()`. */
  isCompound(frame: number): boolean {
    return (this.#flags[frame] & COMPOUND) !== 0
  }

  /** The first frame of the page that the frame belongs to. Linux: `compound_head()`. */
  head(frame: number): number {
    return this.isCompound(frame) ? frame - (frame % HUGE_PAGE_FRAMES) : frame
  }

  /** References to the frame, or to the huge page that it is of, 0 when it is free. Linux: `page_count()`. */
  references(frame: number): number {
    return this.#references[this.head(this.#number(frame))]
  }

  /** Page-table entries that map the frame. Linux: `folio_precise_page_mapcount()`. */
  mappings(frame: number): number {
    return this.#mappings[this.#number(frame)] + (this.isCompound(frame) ? this.#wholeMappings(this.head(frame)) : 0)
  }

  /** Page-table entries that map any frame of the page. Linux: `folio_mapcount()`. */
  folioMappings(frame: number): number {
    if (!this.isCompound(frame)) return this.mappings(frame)
    const head = this.head(frame)
    let sum = this.#wholeMappings(head)
    for (let i = 0; i < HUGE_PAGE_FRAMES; i++) sum += this.#mappings[head + i]
    return sum
  }

  /** Whether more than one address space, as far as can be told from one frame, maps the page. Linux: `folio_likely_mapped_shared()`. */
  likelyMappedShared(frame: number): boolean {
    const sum = this.folioMappings(frame)
    if (!this.isCompound(frame) || sum <= 1) return sum > 1
    const head = this.head(frame)
    return this.#wholeMappings(head) > 0 || sum > HUGE_PAGE_FRAMES || this.#mappings[head] > 1
  }

  /** Takes a reference. Linux: `get_page()`. */
  get(frame: number): void {
    const counted = this.#counted(frame, 'get')
    if (frame !== ZERO_FRAME) this.#references[counted]++
  }

  /** Gives a reference back; the last one frees the frame. Linux: `put_page()`. */
  put(frame: number): void {
    const counted = this.#counted(frame, 'put')
    if (frame === ZERO_FRAME || --this.#references[counted] > 0) return
    if (this.#flags[counted] & COMPOUND) {
      this.#putHuge(counted)
      return
    }
    const mappings = this.#mappings[frame]
    if (mappings > 0) throw new MmuNotifierError('UAF', `UAF  the last put of frame ${frame}, which ${mappings} page-table entries map`)
    this.#used--
    this.#bytes.drop(frame)
    this.#reverse[frame] = undefined
    this.#kernel.trace('mm:frame_free', frame)
    if (this.#flags[frame] & DEVICE) this.deviceOf(frame)?.pageFree(frame)
    else this.#free.push(frame)
  }

  /** Takes a reference for somebody who reads or writes the page by its frame; the zero page needs none. Linux: `try_grab_folio()` with FOLL_PIN. */
  pin(frame: number): void {
    this.get(frame)
    if (frame !== ZERO_FRAME) this.#pins.set(this.head(frame), (this.#pins.get(this.head(frame)) ?? 0) + 1)
  }

  /** Gives it back. Linux: `gup_put_folio()` with FOLL_PIN. */
  unpin(frame: number): void {
    const head = this.head(frame)
    const left = (this.#pins.get(head) ?? 0) - 1
    if (left > 0) this.#pins.set(head, left)
    else this.#pins.delete(head)
    this.put(frame)
  }

  /** Whether a pin holds the page that the frame is of. Linux: `folio_maybe_dma_pinned()`. */
  isPinned(frame: number): boolean {
    return this.#pins.size > 0 && this.#pins.has(this.head(frame))
  }

  /** A page-table entry begins to map the frame; it holds a reference. Linux: `folio_add_anon_rmap_pte()`, `folio_add_file_rmap_pte()`. */
  addMapping(frame: number): void {
    this.get(frame)
    if (frame !== ZERO_FRAME) this.#mappings[frame]++
  }

  /** A page-table entry ceases to map the frame, and gives its reference back. Linux: `folio_remove_rmap_pte()`. */
  removeMapping(frame: number): void {
    this.#inUse(frame, 'unmap')
    if (frame === ZERO_FRAME) return
    this.#mappings[frame]--
    this.put(frame)
  }

  /** A huge entry begins to map the page; it holds a reference. Linux: `folio_add_anon_rmap_pmd()`. */
  addHugeMapping(head: number): void {
    if (head === this.#hugeZero) return
    this.get(head)
    this.#hugeMappings.set(head, this.#wholeMappings(head) + 1)
  }

  /** A huge entry ceases to map the page, and gives its reference back. Linux: `folio_remove_rmap_pmd()`. */
  removeHugeMapping(head: number): void {
    if (head === this.#hugeZero) return
    this.#hugeMappings.set(head, this.#wholeMappings(head) - 1)
    this.put(head)
  }

  /** In the place of a huge entry one for each frame maps the page. Linux: `folio_add_anon_rmap_ptes()` in `__split_huge_pmd_locked()`. */
  splitHugeMapping(head: number): void {
    for (let i = 0; i < HUGE_PAGE_FRAMES; i++) this.addMapping(head + i)
    this.removeHugeMapping(head)
  }

  /**
   * A huge page becomes so many small ones; each has one reference, the caller's. Nothing may map it, and the caller has the only
   * reference. Linux: `__split_huge_page()`.
   */
  splitCompound(head: number): void {
    const reverse = this.#reverse[head]
    const index = this.#index[head]
    for (let i = 0; i < HUGE_PAGE_FRAMES; i++) {
      this.#flags[head + i] &= ~COMPOUND
      this.#references[head + i] = 1
      this.setReverse(head + i, reverse, index + i)
    }
    this.#hugeMappings.delete(head)
  }

  /** A page-table entry ceases to count as a mapping, and keeps its reference: a device gets the page for itself. */
  detachMapping(frame: number): void {
    this.#inUse(frame, 'detach')
    this.#mappings[frame]--
  }

  /** It counts again, with the reference that it has kept. */
  reattachMapping(frame: number): void {
    this.#inUse(frame, 'attach')
    this.#mappings[frame]++
  }

  /** The page belongs to page `index` of an object from now on, or to none. Linux: `folio->mapping`, `folio->index`. */
  setReverse(frame: number, reverse: ReverseMap | undefined, index = 0): void {
    this.#reverse[frame] = reverse
    this.#index[frame] = index
  }

  /** The same for all frames of a huge page; `index` is that of the head. */
  setHugeReverse(head: number, reverse: ReverseMap, index: number): void {
    for (let i = 0; i < HUGE_PAGE_FRAMES; i++) this.setReverse(head + i, reverse, index + i)
  }

  /** What the page belongs to; undefined for the zero page, and for what was truncated. */
  reverse(frame: number): ReverseMap | undefined {
    return this.#reverse[frame]
  }

  /** The page of its object. */
  index(frame: number): number {
    return this.#index[frame]
  }

  isAnonymous(frame: number): boolean {
    return this.#reverse[frame]?.anonymous === true
  }

  /** @returns false when it is locked already. Linux: `folio_trylock()` */
  tryLock(frame: number): boolean {
    const head = this.head(frame)
    if (this.#flags[head] & LOCKED) return false
    this.#flags[head] |= LOCKED
    this.#locked.value++
    return true
  }

  unlock(frame: number): void {
    const head = this.head(frame)
    if ((this.#flags[head] & LOCKED) === 0) return
    this.#flags[head] &= ~LOCKED
    this.#locked.value--
  }

  isLocked(frame: number): boolean {
    return this.#locked.value > 0 && (this.#flags[this.head(frame)] & LOCKED) !== 0
  }

  /** The device in whose memory the frame lies; undefined for RAM. Linux: `is_device_private_page()`, `page->pgmap`. */
  deviceOf(frame: number): DevicePages | undefined {
    if ((this.#flags[frame] & DEVICE) === 0) return undefined
    return this.#devices.find((device) => frame >= device.first && frame < device.end)
  }

  /** Numbers the memory of a device. @returns the first of `count` frames, none of them in use. ENOMEM. Linux: `memremap_pages()` */
  addDevice(device: DevicePages, count: number): number {
    const first = this.#next
    if (first + count > MAX_FRAMES) throw errno('ENOMEM', `memremap_pages: no room for ${count} of ${MAX_FRAMES} frames`)
    this.#next += count
    while (this.#references.length < this.#next) this.#enlarge(this.#next)
    this.#flags.fill(DEVICE, first, this.#next)
    this.#devices.push(device)
    return first
  }

  /** The driver takes a page of its device into use, with one reference. Linux: `zone_device_page_init()`. */
  initDevicePage(frame: number): void {
    if (this.#references[frame] > 0) throw new MmuNotifierError('UAF', `UAF  page ${frame} of a device is given out twice`)
    this.#references[frame] = 1
    this.#used++
    this.#kernel.trace('mm:frame_alloc', frame)
  }

  /** A copy of `length` bytes from `offset` on, inside the frame. */
  read(frame: number, offset: number, length: number): Uint8Array {
    this.#inUse(frame, 'read')
    checkInside(offset, length)
    return this.#bytes.of(frame)?.slice(offset, offset + length) ?? new Uint8Array(length)
  }

  /** Copies bytes of the frame, from `offset` on, to fill `out`. */
  readInto(frame: number, offset: number, out: Uint8Array): void {
    this.#inUse(frame, 'read')
    checkInside(offset, out.length)
    const data = this.#bytes.of(frame)
    if (data) out.set(out.length === PAGE_SIZE ? data : data.subarray(offset, offset + out.length))
    else out.fill(0)
  }

  /** Writes `bytes` at `offset`, inside the frame. The zero page is an EFAULT: no translation allows it. */
  write(frame: number, offset: number, bytes: Uint8Array): void {
    this.#inUse(frame, 'write')
    if (frame === ZERO_FRAME || this.isHugeZero(frame)) throw errno('EFAULT', 'write to the zero page, which every address space shares')
    checkInside(offset, bytes.length)
    this.#bytes.make(frame, bytes.length === PAGE_SIZE).set(bytes, offset)
  }

  /** Makes the bytes of `to` those of `from`. Linux: `copy_user_highpage()`. */
  copy(from: number, to: number): void {
    this.#inUse(from, 'copy')
    const data = this.#bytes.of(from)
    if (data) this.write(to, 0, data)
    else this.clear(to)
  }

  /** Makes the frame zeros again. Linux: `clear_page()`. */
  clear(frame: number): void {
    this.#inUse(frame, 'clear')
    this.#bytes.drop(frame)
  }

  /** Whether all bytes are zero. */
  isZero(frame: number): boolean {
    this.#inUse(frame, 'read')
    return this.#bytes.of(frame)?.every((byte) => byte === 0) ?? true
  }

  #grow(): number {
    const frame = this.#next
    if (frame === MAX_FRAMES) return this.#breakUp()
    if (frame === this.#references.length) this.#enlarge(frame + 1)
    this.#next++
    return frame
  }

  /** The last resort: a free huge page is given out frame by frame. */
  #breakUp(): number {
    const head = this.#freeHuge.pop()
    if (head === undefined) throw errno('ENOMEM', `allocate: all ${MAX_FRAMES} frames are in use`)
    for (let frame = head + HUGE_PAGE_FRAMES - 1; frame > head; frame--) this.#free.push(frame)
    return head
  }

  /** What lies before the next aligned frame is left to small pages. */
  #growHuge(): number {
    const head = Math.ceil(this.#next / HUGE_PAGE_FRAMES) * HUGE_PAGE_FRAMES
    const end = head + HUGE_PAGE_FRAMES
    if (end > MAX_FRAMES) throw errno('ENOMEM', `allocateHuge: no room for ${HUGE_PAGE_FRAMES} of ${MAX_FRAMES} frames`)
    if (end > this.#references.length) this.#enlarge(end)
    for (let frame = head - 1; frame >= this.#next; frame--) this.#free.push(frame)
    this.#next = end
    return head
  }

  #makeHuge(head: number): void {
    this.#flags.fill(COMPOUND, head, head + HUGE_PAGE_FRAMES)
    this.#references[head] = 1
  }

  /** Of a head: see `#hugeMappings`. */
  #wholeMappings(head: number): number {
    return this.#hugeMappings.get(head) ?? 0
  }

  /** All references to a huge page are gone. */
  #putHuge(head: number): void {
    const mappings = this.folioMappings(head)
    if (mappings > 0) throw new MmuNotifierError('UAF', `UAF  the last put of huge page ${head}, which ${mappings} page-table entries map`)
    this.#hugeMappings.delete(head)
    this.#used -= HUGE_PAGE_FRAMES
    this.#flags.fill(0, head, head + HUGE_PAGE_FRAMES)
    for (let frame = head; frame < head + HUGE_PAGE_FRAMES; frame++) {
      this.#bytes.drop(frame)
      this.#reverse[frame] = undefined
      this.#kernel.trace('mm:frame_free', frame)
    }
    this.#freeHuge.push(head)
  }

  /** By a quarter at least: what is not used yet costs memory too. */
  #enlarge(atLeast: number): void {
    const length = Math.max(atLeast, Math.ceil(1.25 * this.#references.length))
    this.#references = enlarged(this.#references, new Int32Array(length))
    this.#mappings = enlarged(this.#mappings, new Int32Array(length))
    this.#flags = enlarged(this.#flags, new Uint8Array(length))
    this.#index = enlarged(this.#index, new Float64Array(length))
  }

  #inUse(frame: number, what: string): void {
    if (!(this.#references[frame] > 0)) this.#counted(frame, what)
  }

  /** The frame that counts the references of one in use: itself, or the head, as the others of a huge page have none. */
  #counted(frame: number, what: string): number {
    if (this.#references[frame] > 0) return frame
    if (!(this.#flags[frame] & COMPOUND)) throw this.#notInUse(frame, what)
    return this.head(frame)
  }

  #notInUse(frame: number, what: string): Error {
    this.#number(frame)
    return new MmuNotifierError('UAF', `UAF  ${what} of frame ${frame}, which is free, by task ${this.#kernel.current.name}`)
  }

  #number(frame: number): number {
    if (Number.isInteger(frame) && frame >= 0 && frame < this.#next) return frame
    throw new RangeError(`expected a frame number below ${this.#next}, got ${frame}`)
  }
}

function enlarged<T extends Int32Array | Uint8Array | Float64Array>(old: T, larger: T): T {
  larger.set(old)
  return larger
}

function checkInside(offset: number, length: number): void {
  if (!(Number.isInteger(offset) && offset >= 0 && length >= 0 && offset + length <= PAGE_SIZE)) {
    throw new RangeError(`expected bytes inside a frame of ${PAGE_SIZE}, got offset ${offset}, length ${length}`)
  }
}
