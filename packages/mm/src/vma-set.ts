import { IntervalTree } from '@mmu-notifier/interval-tree'
import { UnmappedArea } from './unmapped-area.ts'
import { VmArea } from './vma.ts'
import type { FileMapper } from './page-cache.ts'

/**
 * The areas of one address space: disjoint, in an interval tree. Changed under the mmap lock held for write. Linux: `mm_mt`.
 * It keeps the reverse map of files: each area counts as one mapping of its file by `owner`.
 */
export class VmaSet {
  readonly #owner: FileMapper
  readonly #tree = new IntervalTree()
  /** By handle. */
  readonly #areas: (VmArea | undefined)[] = []
  readonly #unmapped = new UnmappedArea(this)

  constructor(owner: FileMapper) {
    this.#owner = owner
  }

  get size(): number {
    return this.#tree.size
  }

  /** The area that contains `address`. Linux: `vma_lookup()`. */
  find(address: number): VmArea | undefined {
    return this.#at(this.#tree.findFirst(address, address))
  }

  /**
   * The lowest area that touches `[start, end)`; with `end` left out, the one that contains `start` or comes next. Linux:
   * `find_vma_intersection()`, `find_vma()`.
   */
  first(start: number, end?: number): VmArea | undefined {
    return this.#at(this.#tree.findFirst(start, end === undefined ? Infinity : end - 1))
  }

  /** The area behind `area`. */
  next(area: VmArea): VmArea | undefined {
    return this.#at(this.#tree.findNext(area.handle, area.end, Infinity))
  }

  /** Ascending. */
  *[Symbol.iterator](): IterableIterator<VmArea> {
    for (let area = this.first(0); area; area = this.next(area)) yield area
  }

  /** The areas that touch `[start, end)`, ascending; the array stays as it is when the set changes. */
  touching(start: number, end: number): VmArea[] {
    const areas: VmArea[] = []
    if (start < end) for (let area = this.first(start, end); area && area.start < end; area = this.next(area)) areas.push(area)
    return areas
  }

  /**
   * Splits what crosses `start` and `end`, so that the areas returned are those inside `[start, end)`, and cover all of it that is
   * mapped.
   */
  carve(start: number, end: number): VmArea[] {
    this.#splitAt(start)
    this.#splitAt(end)
    return this.touching(start, end)
  }

  /** Adds an area where there is none. */
  add(area: VmArea): void {
    this.#insert(area)
    area.file?.cache.attach(this.#owner)
  }

  remove(area: VmArea): void {
    this.#erase(area)
    this.#unmapped.freed(area)
    area.file?.cache.detach(this.#owner)
  }

  /** Moves the ends of an area. The offset goes with the start. */
  resize(area: VmArea, start: number, end: number): void {
    this.#erase(area)
    area.offset = area.offsetOf(start)
    area.start = start
    area.end = end
    this.#insert(area)
  }

  /** Joins the area with neighbours that it continues or that continue it. @returns the area that contains it now. Linux: `vma_merge()`. */
  merge(area: VmArea): VmArea {
    const previous = area.start > 0 ? this.find(area.start - 1) : undefined
    const joined = previous && area.continues(previous) ? this.#join(previous, area) : area
    const next = this.find(joined.end)
    return next?.continues(joined) ? this.#join(joined, next) : joined
  }

  /** The start of a hole for `length` bytes, or -1. Linux: `vm_unmapped_area()`. */
  findUnmapped(length: number, alignment?: number, ceiling?: number): number {
    return this.#unmapped.find(length, alignment, ceiling)
  }

  #join(lower: VmArea, upper: VmArea): VmArea {
    lower.anonymous ||= upper.anonymous
    this.#erase(upper)
    upper.file?.cache.detach(this.#owner)
    this.resize(lower, lower.start, upper.end)
    return lower
  }

  #splitAt(address: number): void {
    const area = this.find(address)
    if (!area || area.start === address) return
    const upper = area.slice(address, area.end)
    this.resize(area, area.start, address)
    this.add(upper)
  }

  #insert(area: VmArea): void {
    area.handle = this.#tree.insert(area.start, area.end - 1)
    this.#areas[area.handle] = area
  }

  #erase(area: VmArea): void {
    this.#tree.remove(area.handle)
    this.#areas[area.handle] = undefined
    area.handle = -1
  }

  #at(handle: number): VmArea | undefined {
    return handle === -1 ? undefined : this.#areas[handle]
  }
}
