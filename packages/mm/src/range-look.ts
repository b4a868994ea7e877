import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE, VM_HUGETLB, VM_READ } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'
import { markHuge, pfnBits, PFN_ERROR, PFN_SHIFT } from './range-fault.ts'
import { frameOf } from './pte.ts'

/** What a walk of `rangeFault` with access 'snapshot' would find now. Without locks and steps. */
export function lookRange(mm: MmStruct, start: number, pfns: Int32Array, owner: unknown): void {
  const end = start + pfns.length * PAGE_SIZE
  checkUnsigned('lookRange', { start, end })
  if (!isAligned(start)) throw errno('EINVAL', `lookRange: expected a page aligned address, got ${hex(start)}`)
  for (let at = start; at < end; ) {
    const area = mm.vmas.first(at, end)
    const from = area ? Math.max(area.start, at) : end
    const to = area ? Math.min(area.end, end) : end
    const first = (from - start) / PAGE_SIZE
    const last = (to - start) / PAGE_SIZE
    if (area?.has(VM_READ)) {
      pfns.fill(PFN_ERROR, (at - start) / PAGE_SIZE, first)
      mm.pageTable.readRange(from, to, pfns, first)
      for (let i = first; i < last; i++) pfns[i] = pfnOf(mm, pfns[i], owner)
      if (area.has(VM_HUGETLB)) markHuge(pfns, first, last)
    } else pfns.fill(PFN_ERROR, (at - start) / PAGE_SIZE, last)
    at = to
  }
}

function pfnOf(mm: MmStruct, entry: number, owner: unknown): number {
  const bits = entry === 0 ? 0 : pfnBits(mm.frames, owner, entry)
  return bits === 0 ? 0 : (frameOf(entry) << PFN_SHIFT) | bits
}
