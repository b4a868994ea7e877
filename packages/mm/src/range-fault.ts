import { assertNotInCallback, hex, type AddressRange, type IntervalNotifier } from '@mmu-notifier/core'
import { PAGE_SIZE, VM_HUGETLB, VM_READ, VM_WRITE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import { handleFaults, type FaultOptions } from './fault.ts'
import { waitForMigration } from './fault-special.ts'
import type { FrameTable } from './frames.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'
import {
  frameOf, isHuge, PTE_DEVICE_PRIVATE, PTE_MIGRATION, PTE_PRESENT, PTE_PROTNONE, PTE_SWAP_WRITE, PTE_WRITE, specialKind,
} from './pte.ts'
import type { UserFault } from './userfault-queue.ts'
import type { VmArea } from './vma.ts'

/** `pfns` entry: the page is there, and may be read. In a request: make it so. Linux: `HMM_PFN_VALID`, `HMM_PFN_REQ_FAULT`. */
export const PFN_VALID = 1
/** It may be written as well. In a request, with PFN_VALID: make it so. Linux: `HMM_PFN_WRITE`, `HMM_PFN_REQ_WRITE`. */
export const PFN_WRITE = 2
/** Nothing can be read there, and nothing was asked for. Linux: `HMM_PFN_ERROR`. */
export const PFN_ERROR = 4
/** The page is mapped by a huge entry, as all of the 2 MiB around it. Linux: `hmm_pfn_to_map_order()`. */
export const PFN_HUGE = 8
/** `entry >> PFN_SHIFT` is the frame. */
export const PFN_SHIFT = 4

/** `snapshot`: nothing is faulted in. Linux: `default_flags` of 0, REQ_FAULT, REQ_FAULT | REQ_WRITE. */
export type RangeAccess = 'snapshot' | 'read' | 'write'

/** What a driver asks the CPU page tables. Linux: `struct hmm_range`. */
export interface RangeFaultRequest {
  /** An interval that covers the range. */
  readonly notifier: IntervalNotifier
  /** What its `readBegin` returned. */
  readonly seq: number
  /** Bytes, page aligned. */
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** What is asked for every page. */
  readonly access: RangeAccess
  /** What is asked for each page besides: PFN_VALID, PFN_VALID | PFN_WRITE or 0. Linux: `hmm_pfns` with `pfn_flags_mask`. */
  readonly requests?: ArrayLike<number> | undefined
  /** Pages in the memory of devices with this owner are returned as they are; others come back to RAM. Linux: `dev_private_owner`. */
  readonly owner?: unknown
}

/** The pages of a range, as they were at some moments since `readBegin`. */
export interface FaultedPages extends AddressRange {
  /**
   * One for each page: frame << 4 | PFN_VALID | PFN_WRITE | PFN_HUGE; PFN_ERROR where nothing can be read; 0 for what is not present now.
   * The last two only where nothing was asked for. A page may be writable although only `read` was asked for. Not pinned.
   */
  readonly pfns: Int32Array
}

const ACCESS_BITS = { snapshot: 0, read: PFN_VALID, write: PFN_VALID | PFN_WRITE } as const

/** A request under way. */
interface Walk extends Pick<RangeFaultRequest, 'start' | 'end' | 'owner'> {
  readonly pfns: Int32Array
  /** Of `access`. */
  readonly wanted: number
  readonly requests: ArrayLike<number> | undefined
}

/** What a walk stopped for: `at` needs a fault, for write if so asked; or it waited for a migration. */
type Stop = { readonly at: number; readonly write: boolean } | 'waited'

/** Linux: `hmm_range_fault()`. */
export async function rangeFault(mm: MmStruct, request: RangeFaultRequest): Promise<FaultedPages | 'busy'> {
  checkPages(mm, request)
  checkCovered(request)
  return mm.mmapLock.read(() => faultRange(mm, request, REMOTE))
}

/** What is wrong with a request by itself. */
export function checkPages(mm: MmStruct, { start, end }: Pick<RangeFaultRequest, 'start' | 'end'>): void {
  assertNotInCallback(mm.memory.kernel, 'fault', 'rangeFault')
  checkUnsigned('rangeFault', { start, end })
  if (!isAligned(start) || !isAligned(end) || start >= end) throw errno('EINVAL', `rangeFault: expected whole pages, got [${hex(start)}, ${hex(end)})`)
}

/** What is wrong with it for the place where the notifier lies now. After each `readBegin`, which an update of the notifier makes stale. */
export function checkCovered({ notifier, start, end }: Omit<RangeFaultRequest, 'seq'>): void {
  if (start >= notifier.start && end - 1 <= notifier.last) return
  const inside = `[${hex(notifier.start)}, ${hex(notifier.last)}]`
  throw errno('EINVAL', `rangeFault: expected pages inside the notifier's ${inside}, got [${hex(start)}, ${hex(end)})`)
}

const REMOTE = { by: 'remote' } as const

/** Under the mmap lock. @returns a fault to be waited for, if the lock may be dropped; what was found before it is lost then */
export async function faultRange(mm: MmStruct, request: RangeFaultRequest, options: typeof REMOTE): Promise<FaultedPages | 'busy'>
export async function faultRange(mm: MmStruct, request: RangeFaultRequest, options: FaultOptions): Promise<FaultedPages | 'busy' | UserFault>
export async function faultRange(mm: MmStruct, request: RangeFaultRequest, options: FaultOptions): Promise<FaultedPages | 'busy' | UserFault> {
  const { notifier, seq, start, end, access, requests, owner } = request
  const pfns = new Int32Array((end - start) / PAGE_SIZE)
  const walk: Walk = { start, end, owner, pfns, wanted: ACCESS_BITS[access], requests }
  mm.memory.kernel.trace('mm:range_fault', mm.mm, start, end, access)
  // A walk ends at a page that has to be faulted in, and the next begins there. Each asks first whether what the ones before found
  // still holds.
  for (let at = start; ; ) {
    if (await notifier.checkRetry(seq)) return 'busy'
    const stop = await walkFrom(mm, walk, at)
    if (stop === undefined) return { start, end, pfns }
    if (stop === 'waited') return 'busy'
    at = stop.at
    const fault = await faultPiece(mm, at, end, stop.write, options)
    if (fault) return fault
  }
}

/** Notes the pages from `start` on, one leaf table a step. @returns undefined at the end of the range */
async function walkFrom(mm: MmStruct, walk: Walk, start: number): Promise<Stop | undefined> {
  for (let at = start; at < walk.end; ) {
    const area = mm.vmas.first(at, walk.end)
    const from = area ? Math.max(area.start, at) : walk.end
    if (at < from) fillError(walk, at, from, 'no area')
    if (!area) return undefined
    const to = Math.min(area.end, walk.end)
    if (!area.has(VM_READ)) fillError(walk, from, to, 'the area does not allow to read')
    else {
      const stop = await walkArea(mm, walk, area, from, to)
      if (stop) return stop
    }
    at = to
  }
  return undefined
}

/** Linux: `hmm_vma_walk_test()`, `hmm_vma_walk_hole()` without an area. */
function fillError({ start, pfns, wanted, requests }: Walk, from: number, to: number, why: string): void {
  const last = (to - start) / PAGE_SIZE
  for (let i = (from - start) / PAGE_SIZE; i < last; i++) {
    if ((wanted | (requests?.[i] ?? 0)) & PFN_VALID) throw errno('EFAULT', `rangeFault: ${why} at ${hex(from)}`)
    pfns[i] = PFN_ERROR
  }
}

async function walkArea(mm: MmStruct, walk: Walk, area: VmArea, start: number, end: number): Promise<Stop | undefined> {
  for (let at = start; at < end; ) {
    let entry = 0
    const stop = await mm.tableLock.section(() => {
      const pieceEnd = Math.min(mm.pageTable.pieceEnd(at), end)
      const hole = mm.pageTable.nextTable(at, pieceEnd) === -1
      if (hole) return walkHole(walk, at, (at = pieceEnd))
      if (mm.pageTable.getHuge(at) !== 0) return walkHuge(mm, walk, at, (at = pieceEnd))
      for (; at < pieceEnd; at += PAGE_SIZE) {
        entry = mm.pageTable.get(at)
        const stop = walkEntry(mm, walk, at, entry)
        if (stop) return stop
      }
      return undefined
    })
    if (stop === 'migration') {
      await waitForMigration(mm, entry)
      return 'waited'
    }
    if (stop) return { at: stop.at, write: stop.write }
  }
  if (area.has(VM_HUGETLB)) markHuge(walk.pfns, (start - walk.start) / PAGE_SIZE, (end - walk.start) / PAGE_SIZE)
  return undefined
}

/** What is present of an area of MAP_HUGETLB is huge. Linux: `hmm_vma_walk_hugetlb_entry()`. */
export function markHuge(pfns: Int32Array, first: number, last: number): void {
  for (let i = first; i < last; i++) if (pfns[i] & PFN_VALID) pfns[i] |= PFN_HUGE
}

/** Where there is no table, one page that is asked for has the whole piece faulted, for write if any of them is. */
function walkHole({ start, pfns, wanted, requests }: Walk, from: number, to: number): { at: number; write: boolean } | undefined {
  const first = (from - start) / PAGE_SIZE
  const last = (to - start) / PAGE_SIZE
  let need = wanted
  if (requests) for (let i = first; i < last; i++) need |= requests[i]
  if (need & PFN_VALID) return { at: from, write: (need & PFN_WRITE) !== 0 }
  pfns.fill(0, first, last)
  return undefined
}

/** One page of a huge one that is asked for more than it gives has the whole piece faulted. Linux: `hmm_vma_handle_pmd()`. */
function walkHuge(mm: MmStruct, walk: Walk, from: number, to: number): { at: number; write: boolean } | undefined {
  let need = 0
  for (let at = from; at < to; at += PAGE_SIZE) {
    const stop = walkEntry(mm, walk, at, mm.pageTable.get(at))
    if (stop && stop !== 'migration') need |= stop.write ? PFN_WRITE : PFN_VALID
  }
  return need === 0 ? undefined : { at: from, write: (need & PFN_WRITE) !== 0 }
}

/** Linux: `hmm_vma_handle_pte()`. */
function walkEntry(mm: MmStruct, walk: Walk, at: number, entry: number): { at: number; write: boolean } | 'migration' | undefined {
  const index = (at - walk.start) / PAGE_SIZE
  const wanted = walk.wanted | (walk.requests?.[index] ?? 0)
  const found = pfnBits(mm.frames, walk.owner, entry)
  // A page in the caller's own memory is taken as it is, even if it is read-only and asked for write.
  const missing = wanted & PFN_VALID && !(found && specialKind(entry) !== 0) ? wanted & ~found : 0
  if (missing === 0) {
    walk.pfns[index] = found === 0 ? 0 : (frameOf(entry) << PFN_SHIFT) | found
    return undefined
  }
  return specialKind(entry) === PTE_MIGRATION ? 'migration' : { at, write: (missing & PFN_WRITE) !== 0 }
}

/** The PFN_ bits of an entry. Linux: `pte_to_hmm_pfn_flags()`, `pmd_to_hmm_pfn_flags()`. */
export function pfnBits(frames: FrameTable, owner: unknown, entry: number): number {
  if (entry & (PTE_PRESENT | PTE_PROTNONE)) return (entry & PTE_WRITE ? PFN_VALID | PFN_WRITE : PFN_VALID) | (isHuge(entry) ? PFN_HUGE : 0)
  if (specialKind(entry) !== PTE_DEVICE_PRIVATE || owner === undefined || frames.deviceOf(frameOf(entry))?.owner !== owner) return 0
  return entry & PTE_SWAP_WRITE ? PFN_VALID | PFN_WRITE : PFN_VALID
}

/**
 * From the first page that needs it to the end of the area within the same table, or of the piece that has none, every page is faulted.
 * Linux: `hmm_vma_fault()`.
 */
async function faultPiece(mm: MmStruct, at: number, end: number, write: boolean, options: FaultOptions): Promise<UserFault | undefined> {
  const area = mm.vmas.find(at)
  if (!area) return undefined
  if (write && !area.has(VM_WRITE)) throw errno('EPERM', `rangeFault: write of ${hex(at)}, where the area is read-only`)
  const pieceEnd = await mm.tableLock.section(() => mm.pageTable.pieceEnd(at))
  return handleFaults(mm, area, at, Math.min(area.end, end, pieceEnd), write ? 'write' : 'read', options)
}
