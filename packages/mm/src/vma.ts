import type { AnonVma } from './anon-vma.ts'
import { NO_CHAIN } from './anon-vma.ts'
import { PAGE_SIZE, VM_ACCESS, VM_SHARED, VM_UFFD_MISSING } from './constants.ts'
import type { VmFile } from './file.ts'
import type { MmStruct } from './mm-struct.ts'
import type { Userfaultfd } from './userfaultfd.ts'

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
  readonly mm: MmStruct
  start: number
  end: number
  flags: number
  readonly file: VmFile | undefined
  /**
   * The page of the object at `start`. For private anonymous memory that of the address at which its first private page was made: it moves
   * with the pages, so that areas that were apart do not become one. Linux: `vm_pgoff`.
   */
  pgoff: number
  /** Its pages count as promised memory, so it does not join those that do not. Linux: VM_ACCOUNT, which is kept out of `flags` here. */
  accounted = false
  /** Who resolves faults on its missing pages, and then `flags` has VM_UFFD_MISSING. Linux: `vm_userfaultfd_ctx`. */
  userfaultfd: Userfaultfd | undefined = undefined
  /** A private page was once made here; only then does fork copy entries, all else comes back by faults. Linux: `anon_vma`. */
  anonVma: AnonVma | undefined = undefined
  /** Whose pages may be here: those of its ancestors, then its own. Linux: `anon_vma_chain`. */
  chain: readonly AnonVma[] = NO_CHAIN
  /** In the tree of its set; -1 outside of it. */
  handle = -1

  /** @param pgoff in pages */
  constructor(mm: MmStruct, start: number, end: number, flags: number, file: VmFile | undefined, pgoff: number) {
    this.mm = mm
    this.start = start
    this.end = end
    this.flags = flags
    this.file = file
    this.pgoff = pgoff
  }

  get prot(): number {
    return this.flags & VM_ACCESS
  }

  get shared(): boolean {
    return (this.flags & VM_SHARED) !== 0
  }

  get offset(): number {
    return this.file ? this.pgoff * PAGE_SIZE : 0
  }

  /** The last page of the object that it maps. */
  get lastPage(): number {
    return this.pgoff + (this.end - this.start) / PAGE_SIZE - 1
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0
  }

  setUserfaultfd(userfaultfd: Userfaultfd | undefined): void {
    this.userfaultfd = userfaultfd
    this.flags = userfaultfd ? this.flags | VM_UFFD_MISSING : this.flags & ~VM_UFFD_MISSING
  }

  /** Bytes into the file of an address of this area. */
  offsetOf(address: number): number {
    return this.file ? this.pageIndex(address) * PAGE_SIZE : 0
  }

  /** The page of the object at an address of this area. Linux: `linear_page_index()`. */
  pageIndex(address: number): number {
    return this.pgoff + (address - this.start) / PAGE_SIZE
  }

  /** Where the area maps a page of the object. Linux: `vma_address()`. */
  addressOf(index: number): number {
    return this.start + (index - this.pgoff) * PAGE_SIZE
  }

  /** A copy of `[start, end)` of this area, for another place or another address space; without private pages. */
  slice(start: number, end: number, mm: MmStruct = this.mm): VmArea {
    const copy = new VmArea(mm, start, end, this.flags, this.file, this.pageIndex(start))
    copy.accounted = this.accounted
    copy.userfaultfd = this.userfaultfd
    return copy
  }

  /**
   * True when this area goes on where `previous` ends: same flags, same object, continuous offset. Whether their private pages allow to
   * join them is another question. Linux: `is_mergeable_vma()`, `anon_vma_compatible()`.
   * @param butAccess leaves the access rights out
   */
  continues(previous: VmArea, butAccess = false): boolean {
    return (
      previous.end === this.start &&
      ((previous.flags ^ this.flags) & (butAccess ? ~VM_ACCESS : -1)) === 0 &&
      previous.accounted === this.accounted &&
      previous.file === this.file &&
      previous.userfaultfd === this.userfaultfd &&
      this.file?.kind !== 'special' &&
      previous.pageIndex(this.start) === this.pgoff
    )
  }
}
