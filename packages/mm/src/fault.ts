import { hex } from '@mmu-notifier/core'
import { HUGE_PAGE_SIZE, PAGE_SIZE, VM_ACCESS, VM_EXEC, VM_HUGETLB, VM_UFFD_MISSING, VM_WRITE } from './constants.ts'
import { AccessFault } from './errno.ts'
import { faultDevicePrivate, faultExclusive, waitForMigration } from './fault-special.ts'
import type { VmFile } from './file.ts'
import { ZERO_FRAME } from './frames.ts'
import { mapHuge, mayMapHuge, reuseHuge } from './huge-page.ts'
import { copyHugetlb, faultHugetlb } from './hugetlb.ts'
import type { MmStruct } from './mm-struct.ts'
import type { PageCache } from './page-cache.ts'
import { alignDown } from './pages.ts'
import {
  frameOf, isHuge, makePte, PTE_DEVICE_EXCLUSIVE, PTE_DEVICE_PRIVATE, PTE_EXCLUSIVE, PTE_PRESENT, PTE_WRITE, specialKind,
} from './pte.ts'
import { splitHugeEntry } from './split-huge.ts'
import type { UserFault } from './userfault-queue.ts'
import type { VmArea } from './vma.ts'

export type Access = 'read' | 'write' | 'execute'

/**
 * On whose behalf a page is faulted in: the CPU's own access, another's (`rangeFault`, exclusive access), or populate's. Linux:
 * FAULT_FLAG_USER, FAULT_FLAG_REMOTE, neither.
 */
export type FaultedBy = 'cpu' | 'remote' | 'populate'

/** Whether the CPU may do it. On x86 every accessible page is readable. Linux: `access_error()`. */
export function allows(area: VmArea, access: Access): boolean {
  return area.has(access === 'write' ? VM_WRITE : access === 'execute' ? VM_EXEC : VM_ACCESS)
}

const FAULT_AROUND = 16 * PAGE_SIZE

/** `copy`, `special`, `split` and `userfault`: more than a step has to be done, outside of the page-table lock. */
type Outcome = 'done' | 'copy' | 'special' | 'split' | 'userfault' | 'beyond the end'

export interface FaultOptions {
  readonly by: FaultedBy
  /**
   * Leaves out the pages that allow the access already, and faults each of the others until it does. Linux: `__get_user_pages()`, which
   * looks first. Without it each page is faulted once, needed or not, and the caller looks again.
   */
  readonly missingOnly?: boolean
  /**
   * The caller releases the mmap lock and waits when it is told to, and begins again. Without it a page that a userfaultfd is to bring cannot be had. Linux:
   * FAULT_FLAG_ALLOW_RETRY.
   */
  readonly mayDropLock?: boolean
}

/**
 * Handles a fault on every page of `[start, end)`, which lies in `area`. An AccessFault behind the end of a file, when the pages before
 * are done; and for a page that a userfaultfd is to bring, unless the lock may be dropped. Under the mmap lock; the access must be allowed. Linux: `handle_mm_fault()`.
 *
 * Making an entry present needs no notification: a device cannot have used what was not there. Replacing one does; this is the copy of
 * COW.
 *
 * @returns what to wait for when the mmap lock is released, before everything is looked up again; undefined when all is done. Linux: VM_FAULT_RETRY
 */
export async function handleFaults(
  mm: MmStruct,
  area: VmArea,
  start: number,
  end: number,
  access: Access,
  { by, missingOnly = false, mayDropLock = false }: FaultOptions,
): Promise<UserFault | undefined> {
  const { kernel } = mm.memory
  const enough = missingOnly ? (access === 'write' ? PTE_WRITE : PTE_PRESENT) : 0
  let entry = 0
  /** A huge page was split here; the fault goes on with the page. */
  let goesOn = -1
  for (let at = start; at < end; ) {
    // One leaf table of x86-64 is the work of one step.
    const outcome = await mm.tableLock.section((): Outcome => {
      for (const to = Math.min(alignDown(at, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE, end); at < to; at += PAGE_SIZE) {
        do {
          entry = mm.pageTable.get(at)
          if (entry & enough) break
          if (at !== goesOn) kernel.trace('mm:fault', mm.mm, at, access, by)
          goesOn = -1
          const outcome = fault(mm, area, at, entry, access === 'write')
          if (outcome !== 'done') return outcome
        } while (missingOnly)
      }
      return 'done'
    })
    if (outcome === 'done') continue
    if (outcome === 'beyond the end') throw new AccessFault(`${access} of ${hex(at)}: behind the end of ${area.file?.name ?? ''}`, at, 'SIGBUS', 2)
    if (outcome === 'userfault') {
      if (!mayDropLock) throw new AccessFault(`${access} of ${hex(at)}: a userfaultfd is to bring it, and the mmap lock may not be dropped`, at, 'SIGBUS', 2)
      const fault = await area.userfaultfd?.queue(at, access === 'write')
      if (fault) return fault
      continue
    }
    if (outcome === 'split') {
      await splitHugeEntry(mm, at)
      goesOn = at
      continue
    }
    if (outcome === 'copy') await (area.has(VM_HUGETLB) ? copyHugetlb : copyOnWrite)(mm, area, at, entry)
    else await faultSpecial(mm, area, at, entry)
    if (!missingOnly) at += PAGE_SIZE
  }
  return undefined
}

/** Under the page-table lock. The tables above the entry come into being even if the fault fails. */
function fault(mm: MmStruct, area: VmArea, address: number, entry: number, write: boolean): Outcome {
  if (entry === 0 && area.has(VM_UFFD_MISSING)) return missing(mm, area, address)
  if (entry === 0 && mayMapHuge(mm, area, address)) return mapHuge(mm, area, address, write)
  if (entry === 0) mm.pageTable.makeLeaf(address)
  if (area.has(VM_HUGETLB) && specialKind(entry) === 0) return faultHugetlb(mm, area, address, entry, write)
  if (entry === 0) return area.file ? faultFile(mm, area, area.file, address, write) : faultAnonymous(mm, area, address, write)
  if (specialKind(entry) !== 0) return 'special'
  if (!write || entry & PTE_WRITE) return 'done' // another task was quicker
  if (area.shared) {
    mm.pageTable.set(address, entry | PTE_WRITE)
    return 'done'
  }
  if (isHuge(entry)) return reuseHuge(mm, area, address) ? 'done' : 'split'
  if (!(entry & PTE_EXCLUSIVE) && !mayReuse(mm, entry)) return 'copy'
  mm.frames.setReverse(frameOf(entry), area.anonVma, area.pageIndex(address))
  mm.pageTable.set(address, entry | PTE_WRITE | PTE_EXCLUSIVE)
  return 'done'
}

/** A userfaultfd is to bring the page, a small one always. The tables come into being as if it came by a fault. */
function missing(mm: MmStruct, area: VmArea, address: number): 'userfault' {
  if (!mayMapHuge(mm, area, address)) mm.pageTable.makeLeaf(address)
  return 'userfault'
}

/** What a device has, or what is on its way. Linux: `do_swap_page()`. */
function faultSpecial(mm: MmStruct, area: VmArea, address: number, entry: number): Promise<void> {
  const kind = specialKind(entry)
  if (kind === PTE_DEVICE_PRIVATE) return faultDevicePrivate(mm, address, entry)
  if (kind === PTE_DEVICE_EXCLUSIVE) return faultExclusive(mm, area, address, entry)
  return waitForMigration(mm, entry)
}

/**
 * A private page that nobody else uses is not copied, unless it is of a huge one. The page cache is a user. Linux:
 * `wp_can_reuse_anon_folio()`.
 */
function mayReuse(mm: MmStruct, entry: number): boolean {
  const frame = frameOf(entry)
  return mm.frames.isAnonymous(frame) && mm.frames.references(frame) === 1 && !mm.frames.isCompound(frame)
}

/** Linux: `do_anonymous_page()`. */
function faultAnonymous(mm: MmStruct, area: VmArea, address: number, write: boolean): Outcome {
  if (write) mapPrivate(mm, area, address, mm.frames.allocate())
  else map(mm, address, ZERO_FRAME, PTE_PRESENT)
  return 'done'
}

/** Linux: `do_read_fault()`, `do_cow_fault()`, `do_shared_fault()`. */
function faultFile(mm: MmStruct, area: VmArea, { cache }: VmFile, address: number, write: boolean): Outcome {
  if (write && !area.shared) mm.vmas.prepareAnon(area)
  if (!write) faultAround(mm, area, cache, address)
  if (mm.pageTable.get(address) !== 0) return 'done'
  const index = area.pageIndex(address)
  if (index * PAGE_SIZE >= cache.size) return 'beyond the end'
  const page = cache.bring(index)
  if (write && !area.shared) {
    const copy = mm.frames.allocate()
    mm.frames.copy(page, copy)
    mapPrivate(mm, area, address, copy)
    return 'done'
  }
  map(mm, address, page, fileBits(area))
  return 'done'
}

/** A shared page is writable at once where the area is. */
function fileBits(area: VmArea): number {
  return area.shared && area.has(VM_WRITE) ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT
}

/**
 * A read fault first maps what is in memory of the 64 KiB around it, inside the area and the leaf table. Linux:
 * `do_fault_around()`.
 */
function faultAround(mm: MmStruct, area: VmArea, cache: PageCache, address: number): void {
  const start = Math.max(alignDown(address, FAULT_AROUND), area.start)
  const end = Math.min(start + FAULT_AROUND, area.end, mm.pageTable.pieceEnd(address))
  for (let at = start; at < end; at += PAGE_SIZE) {
    const page = cache.get(area.pageIndex(at))
    if (page !== undefined && mm.pageTable.get(at) === 0) map(mm, at, page, fileBits(area))
  }
}

/**
 * The device may still read the old page until its callback has returned; only then the entry changes, and the old page may be freed. Who
 * finds another entry inside leaves it: the access faults again. Linux: `wp_page_copy()`.
 */
async function copyOnWrite(mm: MmStruct, area: VmArea, address: number, entry: number): Promise<void> {
  await mm.notifiers.invalidate({ start: address, end: address + PAGE_SIZE, event: 'clear' }, () =>
    mm.tableLock.section(() => {
      if (mm.pageTable.get(address) !== entry) return
      const page = frameOf(entry)
      const copy = mm.frames.allocate()
      mm.frames.copy(page, copy)
      mapPrivate(mm, area, address, copy)
      mm.frames.removeMapping(page)
    }),
  )
}

/** Maps a new page for write; takes over the caller's reference. */
function mapPrivate(mm: MmStruct, area: VmArea, address: number, frame: number): void {
  mm.frames.setReverse(frame, mm.vmas.prepareAnon(area), area.pageIndex(address))
  map(mm, address, frame, PTE_PRESENT | PTE_WRITE | PTE_EXCLUSIVE)
  mm.frames.put(frame)
}

function map(mm: MmStruct, address: number, frame: number, bits: number): void {
  mm.frames.addMapping(frame)
  mm.pageTable.set(address, makePte(frame, bits))
}
