import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE, VM_ACCESS, VM_EXEC, VM_WRITE } from './constants.ts'
import { errno } from './errno.ts'
import type { VmFile } from './file.ts'
import { ZERO_FRAME } from './frames.ts'
import type { MmStruct } from './mm-struct.ts'
import type { PageCache } from './page-cache.ts'
import { alignDown } from './pages.ts'
import { frameOf, makePte, PTE_EXCLUSIVE, PTE_PRESENT, PTE_WRITE } from './pte.ts'
import type { VmArea } from './vma.ts'

export type Access = 'read' | 'write' | 'execute'

/** Whether the CPU may do it. On x86 every accessible page is readable. Linux: `access_error()`. */
export function allows(area: VmArea, access: Access): boolean {
  return area.has(access === 'write' ? VM_WRITE : access === 'execute' ? VM_EXEC : VM_ACCESS)
}

/** What one leaf table of x86-64 covers: the work of one step. */
const LEAF_SPAN = 512 * PAGE_SIZE
const FAULT_AROUND = 16 * PAGE_SIZE

type Outcome = 'done' | 'copy' | 'beyond the end'

/**
 * Handles a fault on every page of `[start, end)`, which lies in `area`: afterwards each was readable, or writable when `access` is
 * 'write', at some moment. EFAULT behind the end of a file, when the pages before are done. Under the mmap lock; the access must be
 * allowed. Linux: `handle_mm_fault()`.
 *
 * @param missingOnly leaves out the pages that allow the access already. Linux: `__get_user_pages()`, which looks first
 *
 * Making an entry present needs no notification: a device cannot have used what was not there. Replacing one does; this is the copy of
 * COW.
 */
export async function handleFaults(
  mm: MmStruct,
  area: VmArea,
  start: number,
  end: number,
  access: Access,
  missingOnly = false,
): Promise<void> {
  const { kernel } = mm.memory
  const enough = missingOnly ? (access === 'write' ? PTE_WRITE : PTE_PRESENT) : 0
  for (let at = start; at < end; ) {
    const outcome = await mm.tableLock.section((): Outcome => {
      for (const to = Math.min(alignDown(at, LEAF_SPAN) + LEAF_SPAN, end); at < to; at += PAGE_SIZE) {
        if (mm.pageTable.get(at) & enough) continue
        kernel.trace('mm:fault', mm.mm, at, access)
        const outcome = fault(mm, area, at, access === 'write')
        if (outcome !== 'done') return outcome
      }
      return 'done'
    })
    if (outcome === 'beyond the end') throw errno('EFAULT', `${access} of ${hex(at)}: behind the end of ${area.file?.name ?? ''} (SIGBUS)`)
    if (outcome === 'copy') {
      await copyOnWrite(mm, area, at)
      at += PAGE_SIZE
    }
  }
}

/** Under the page-table lock. */
function fault(mm: MmStruct, area: VmArea, address: number, write: boolean): Outcome {
  const entry = mm.pageTable.get(address)
  if (entry === 0) return area.file ? faultFile(mm, area, area.file, address, write) : faultAnonymous(mm, area, address, write)
  if (!write || entry & PTE_WRITE) return 'done' // another task was quicker
  if (area.shared || mayReuse(mm, entry)) {
    mm.pageTable.set(address, entry | PTE_WRITE | (area.shared ? 0 : PTE_EXCLUSIVE))
    return 'done'
  }
  return 'copy'
}

/** A private page that nobody else uses is not copied. The page cache is a user. Linux: `wp_can_reuse_anon_folio()`. */
function mayReuse(mm: MmStruct, entry: number): boolean {
  const frame = frameOf(entry)
  return frame !== ZERO_FRAME && mm.frames.references(frame) === 1
}

/** Linux: `do_anonymous_page()`. */
function faultAnonymous(mm: MmStruct, area: VmArea, address: number, write: boolean): Outcome {
  if (write) mapPrivate(mm, area, address, mm.frames.allocate())
  else map(mm, address, ZERO_FRAME, PTE_PRESENT)
  return 'done'
}

/** Linux: `do_read_fault()`, `do_cow_fault()`, `do_shared_fault()`. */
function faultFile(mm: MmStruct, area: VmArea, { cache }: VmFile, address: number, write: boolean): Outcome {
  if (write && !area.shared) area.anonymous = true
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
  if (!write) faultAround(mm, area, cache, address)
  return 'done'
}

/** A shared page is writable at once where the area is. */
function fileBits(area: VmArea): number {
  return area.shared && area.has(VM_WRITE) ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT
}

/**
 * A read fault also maps what is in memory of the 64 KiB around it, inside the area and the leaf table. Linux:
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
async function copyOnWrite(mm: MmStruct, area: VmArea, address: number): Promise<void> {
  await mm.notifiers.invalidate({ start: address, end: address + PAGE_SIZE, event: 'clear' }, () =>
    mm.tableLock.section(() => {
      const entry = mm.pageTable.get(address)
      if (entry === 0 || entry & PTE_WRITE) return
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
  area.anonymous = true
  map(mm, address, frame, PTE_PRESENT | PTE_WRITE | PTE_EXCLUSIVE)
  mm.frames.put(frame)
}

function map(mm: MmStruct, address: number, frame: number, bits: number): void {
  mm.frames.addMapping(frame)
  mm.pageTable.set(address, makePte(frame, bits))
}
