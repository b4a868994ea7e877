import { hex, type AddressRange, type IntervalNotifier } from '@mmu-notifier/core'
import { PAGE_SIZE, VM_READ, VM_WRITE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import { handleFaults } from './fault.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'
import { frameOf, PTE_PRESENT, PTE_WRITE } from './pte.ts'

/** `pfns` entry: the page is there, and may be read. Linux: `HMM_PFN_VALID`. */
export const PFN_VALID = 1
/** It may be written as well. Linux: `HMM_PFN_WRITE`. */
export const PFN_WRITE = 2
/** `entry >> PFN_SHIFT` is the frame. */
export const PFN_SHIFT = 4

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
  readonly access: 'read' | 'write'
}

/** The pages of a range, as they were at some moments since `readBegin`. */
export interface FaultedPages extends AddressRange {
  /** One for each page: frame << 4 | PFN_VALID | PFN_WRITE. A page may be writable although only `read` was asked for. Not pinned. */
  readonly pfns: Int32Array
}

/** Linux: `hmm_range_fault()`. */
export async function rangeFault(mm: MmStruct, request: RangeFaultRequest): Promise<FaultedPages | 'busy'> {
  const { notifier, seq, start, end, access } = request
  checkUnsigned('rangeFault', { start, end })
  if (!isAligned(start) || !isAligned(end) || start >= end || start < notifier.start || end - 1 > notifier.last) {
    const inside = `[${hex(notifier.start)}, ${hex(notifier.last)}]`
    throw errno('EINVAL', `rangeFault: expected whole pages inside the notifier's ${inside}, got [${hex(start)}, ${hex(end)})`)
  }
  const pfns = new Int32Array((end - start) / PAGE_SIZE)
  return mm.mmapLock.read(async () => {
    // A walk ends at a page that has to be faulted in, and the next begins there. Each asks first whether what the ones before found
    // still holds.
    for (let at = start; ; ) {
      if (await notifier.checkRetry(seq)) return 'busy'
      at = await walk(mm, request, at, pfns)
      if (at === end) return { start, end, pfns }
      await faultPiece(mm, at, end, access)
    }
  })
}

/** Notes the pages from `start` on, one leaf table a step. @returns the first page that has to be faulted in, or the end */
async function walk(mm: MmStruct, request: RangeFaultRequest, start: number, pfns: Int32Array): Promise<number> {
  const { access, end } = request
  const needed = access === 'write' ? PTE_WRITE : PTE_PRESENT
  let at = start
  while (at < end) {
    const to = readableUntil(mm, at, end)
    const stopped = await mm.tableLock.section(() => {
      for (const pieceEnd = Math.min(mm.pageTable.pieceEnd(at), to); at < pieceEnd; at += PAGE_SIZE) {
        const entry = mm.pageTable.get(at)
        if (!(entry & needed)) return true
        pfns[(at - request.start) / PAGE_SIZE] = (frameOf(entry) << PFN_SHIFT) | (entry & PTE_WRITE ? PFN_VALID | PFN_WRITE : PFN_VALID)
      }
      return false
    })
    if (stopped) return at
  }
  return at
}

/** @returns the end of the area's part of the range. EFAULT when there is none that may be read. Linux: `hmm_vma_walk_test()` */
function readableUntil(mm: MmStruct, address: number, end: number): number {
  const area = mm.vmas.find(address)
  if (!area?.has(VM_READ)) throw errno('EFAULT', `rangeFault: ${area ? 'the area does not allow to read' : 'no area'} at ${hex(address)}`)
  return Math.min(area.end, end)
}

/**
 * From the first page that needs it to the end of the area within the same table, or of the piece that has none, every page is faulted.
 * Linux: `hmm_vma_fault()`.
 */
async function faultPiece(mm: MmStruct, at: number, end: number, access: 'read' | 'write'): Promise<void> {
  const area = mm.vmas.find(at)
  if (!area) return
  if (access === 'write' && !area.has(VM_WRITE)) throw errno('EPERM', `rangeFault: write of ${hex(at)}, where the area is read-only`)
  await handleFaults(mm, area, at, Math.min(area.end, end, mm.pageTable.pieceEnd(at)), access)
}
