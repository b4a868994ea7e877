import { PAGE_SIZE, VM_ACCESS, VM_SHARED } from './constants.ts'
import type { VmFile } from './file.ts'

/**
 * One mapped area: `[start, end)` in bytes, page aligned. A live view: it changes with the mapping, and is dead after it. Linux: `struct
 * vm_area_struct`.
 */
export interface Vma {
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** PROT_READ | PROT_WRITE | PROT_EXEC. */
  readonly prot: number
  /** MAP_SHARED. Shared anonymous memory has a file of its own, named `/dev/zero`. */
  readonly shared: boolean
  /** What it maps; undefined for private anonymous memory. */
  readonly file: VmFile | undefined
  /** Bytes into the file at which `start` lies; 0 without a file. */
  readonly offset: number
  /** VM_* bits. Linux: `vm_flags`. */
  readonly flags: number
}

export class VmArea implements Vma {
  start: number
  end: number
  flags: number
  readonly file: VmFile | undefined
  offset: number
  /** A private page was once made here; only then does fork copy entries, all else comes back by faults. Linux: `anon_vma`. */
  anonymous = false
  /** In the tree of its set. */
  handle = -1

  constructor(start: number, end: number, flags: number, file: VmFile | undefined, offset: number) {
    this.start = start
    this.end = end
    this.flags = flags
    this.file = file
    this.offset = file ? offset : 0
  }

  get prot(): number {
    return this.flags & VM_ACCESS
  }

  get shared(): boolean {
    return (this.flags & VM_SHARED) !== 0
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0
  }

  /** Bytes into the file of an address of this area. */
  offsetOf(address: number): number {
    return this.file ? this.offset + (address - this.start) : 0
  }

  /** The page of the file at an address of this area. Linux: `linear_page_index()`. */
  pageIndex(address: number): number {
    return this.offsetOf(address) / PAGE_SIZE
  }

  /** A copy of `[start, end)` of this area, for another place or another address space. */
  slice(start: number, end: number): VmArea {
    const copy = new VmArea(start, end, this.flags, this.file, this.offsetOf(start))
    copy.anonymous = this.anonymous
    return copy
  }

  /**
   * True when the two are one mapping to everyone who reads /proc/PID/maps: same flags, same object, continuous offset. Linux also keeps
   * areas apart whose `anon_vma` differs, which nobody can see but for the number of lines. Linux: `can_vma_merge_after()`.
   */
  continues(previous: VmArea): boolean {
    return (
      previous.end === this.start &&
      previous.flags === this.flags &&
      previous.file === this.file &&
      (this.file === undefined || (this.file.kind !== 'special' && previous.offsetOf(this.start) === this.offset))
    )
  }
}
