import { hex } from '@mmu-notifier/core'
import { IntervalTree } from '@mmu-notifier/interval-tree'
import { UnmappedArea } from './unmapped-area.ts'
import { AnonVma, bothJoin, cloneAnonVma, joinsAnonVma, linkAnonVma, reusableAnonVma, unlinkAnonVma } from './anon-vma.ts'
import { HUGE_PAGE_SIZE, VM_HUGETLB } from './constants.ts'
import { errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'
import type { VmArea } from './vma.ts'

/**
 * The areas of one address space: disjoint, in an interval tree. Changed under the mmap lock held for write, with the reverse maps of files
 * and private pages. Linux: `mm_mt`.
 */
export class VmaSet {
  readonly #owner: MmStruct
  readonly #tree = new IntervalTree()
  /** By handle. */
  readonly #areas: (VmArea | undefined)[] = []
  readonly #unmapped = new UnmappedArea(this)

  constructor(owner: MmStruct) {
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
   * mapped. EINVAL inside a huge page.
   */
  carve(start: number, end: number): VmArea[] {
    this.#splitAt(start)
    this.#splitAt(end)
    return this.touching(start, end)
  }

  /** Adds an area where there is none. @param parent the one that fork copies: behind it in the order of the file */
  add(area: VmArea, parent?: VmArea): void {
    this.#insert(area)
    const cache = area.file?.cache
    if (parent) cache?.areas.insertAfter(area, parent)
    else cache?.areas.insert(area)
    cache?.attach(this.#owner)
  }

  remove(area: VmArea): void {
    this.#erase(area)
    this.#unmapped.freed(area)
    this.#forget(area)
  }

  /** Moves the ends of an area. The offset goes with the start. */
  resize(area: VmArea, start: number, end: number): void {
    this.#erase(area)
    area.file?.cache.areas.remove(area)
    for (const anonVma of area.chain) anonVma.areas.remove(area)
    area.pgoff = area.pageIndex(start)
    area.start = start
    area.end = end
    this.#insert(area)
    area.file?.cache.areas.insert(area)
    for (const anonVma of area.chain) anonVma.areas.insert(area)
  }

  /**
   * Joins the area with neighbours that it continues or that continue it. @returns the area that contains it now. Linux:
   * `vma_merge_existing_range()`, `vma_merge_new_range()`
   */
  merge(area: VmArea): VmArea {
    const previous = area.start > 0 ? this.find(area.start - 1) : undefined
    const left = previous && area.continues(previous) && joinsAnonVma(area, previous) ? previous : undefined
    const right = this.#joinsNext(area, left)
    const joined = left ? this.#join(left, area) : area
    return right ? this.#join(joined, right) : joined
  }

  /** Moves the end of an area up, where there is room, and joins it with what continues it then. Linux: `vma_merge_extend()`. */
  extend(area: VmArea, end: number): VmArea {
    this.resize(area, area.start, end)
    const right = this.#joinsNext(area, area)
    return right ? this.#join(area, right) : area
  }

  /** Makes sure that private pages can be mapped in the area. Under the page-table lock. Linux: `anon_vma_prepare()`. */
  prepareAnon(area: VmArea): AnonVma {
    if (area.anonVma) return area.anonVma
    const previous = area.start > 0 ? this.find(area.start - 1) : undefined
    const anonVma = reusableAnonVma(previous, area, this.find(area.end)) ?? new AnonVma()
    linkAnonVma(area, anonVma)
    return anonVma
  }

  /** The start of a hole for `length` bytes, or -1. Linux: `vm_unmapped_area()`. */
  findUnmapped(length: number, alignment?: number, ceiling?: number): number {
    return this.#unmapped.find(length, alignment, ceiling)
  }

  /** The next area if `area` may be joined with it. @param left what is joined with `area` on the other side */
  #joinsNext(area: VmArea, left: VmArea | undefined): VmArea | undefined {
    const next = this.find(area.end)
    return next?.continues(area) && joinsAnonVma(area, next) && (!left || bothJoin(left, next)) ? next : undefined
  }

  #join(lower: VmArea, upper: VmArea): VmArea {
    if (!lower.anonVma && upper.anonVma) cloneAnonVma(lower, upper)
    this.#erase(upper)
    this.#forget(upper)
    this.resize(lower, lower.start, upper.end)
    return lower
  }

  #splitAt(address: number): void {
    const area = this.find(address)
    if (!area || area.start === address) return
    if (area.has(VM_HUGETLB) && !isAligned(address, HUGE_PAGE_SIZE)) throw errno('EINVAL', `${hex(address)} is inside a huge page of MAP_HUGETLB`)
    const upper = area.slice(address, area.end)
    this.resize(area, area.start, address)
    this.add(upper)
    cloneAnonVma(upper, area)
  }

  #forget(area: VmArea): void {
    const cache = area.file?.cache
    cache?.areas.remove(area)
    cache?.detach(this.#owner)
    unlinkAnonVma(area)
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
