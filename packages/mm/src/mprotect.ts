import { hex } from '@mmu-notifier/core'
import { PROT_GROWSDOWN, PROT_SEM, VM_ACCESS, VM_GROWSDOWN, VM_HUGETLB, VM_NORESERVE, VM_SHARED, VM_WRITE } from './constants.ts'
import { protectEntry } from './entries.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { PMD_TABLE } from './page-table.ts'
import { alignUp, isAligned } from './pages.ts'
import { splitHugeAround } from './split-huge.ts'
import type { VmArea } from './vma.ts'

/** Linux: `do_mprotect_pkey()`. */
export async function mprotect(mm: MmStruct, address: number, length: number, prot: number): Promise<void> {
  checkUnsigned('mprotect', { address, length, prot })
  if (!isAligned(address)) throw errno('EINVAL', `mprotect: expected a page aligned address, got ${hex(address)}`)
  if (prot & ~(VM_ACCESS | PROT_SEM | PROT_GROWSDOWN)) throw errno('EINVAL', `mprotect: expected PROT_ bits, got ${hex(prot)}`)
  if (length === 0) return
  const end = address + alignUp(length)
  await mm.syscall('mprotect', 'write', async () => {
    let at = address
    if (prot & PROT_GROWSDOWN) at = startOfStack(mm, address, end)
    for (let area = mm.vmas.first(at, end); area && area.start <= at; area = mm.vmas.find(at)) {
      const to = Math.min(area.end, end)
      const flags = (area.flags & ~VM_ACCESS) | (prot & VM_ACCESS)
      if (area.flags !== flags) await protectArea(mm, at, to, flags)
      at = to
      if (at >= end) return
    }
    throw errno('ENOMEM', `mprotect: nothing is mapped at ${hex(at)}`)
  })
}

function startOfStack(mm: MmStruct, address: number, end: number): number {
  const stack = mm.vmas.first(address, end)
  if (!stack) throw errno('ENOMEM', `mprotect: nothing is mapped at ${hex(address)}`)
  if (!stack.has(VM_GROWSDOWN)) throw errno('EINVAL', `mprotect: PROT_GROWSDOWN, but the area at ${hex(stack.start)} does not grow down`)
  return stack.start
}

/**
 * Gives `[start, end)`, which lies in one area, other flags. The event comes for more access as well as for less, and begins with the
 * first PMD table: what no table describes, no device can have read. Linux: `mprotect_fixup()`, `change_pud_range()`.
 */
async function protectArea(mm: MmStruct, start: number, end: number, flags: number): Promise<void> {
  if (mm.mayMapHuge) await splitHugeAround(mm, start, end)
  const { shared } = await mm.changeAreas(() => {
    const [area] = mm.vmas.carve(start, end)
    account(area, flags)
    area.flags = flags
    return mm.vmas.merge(area)
  })
  const first = mm.pageTable.nextTable(start, end, PMD_TABLE)
  if (first === -1) return
  await mm.carryOut({ start: first, end, event: 'protectionVma' }, () =>
    mm.eachLeaf(
      first,
      end,
      (from, to) => { mm.pageTable.updateRange(from, to, (_, entry) => protectEntry(entry, flags, shared)) },
      (at, entry) => { mm.pageTable.setHuge(at, protectEntry(entry, flags, shared)) },
    ),
  )
}

/** Private memory is promised when it becomes writable; it stays so once it holds private pages. Linux: VM_ACCOUNT in `mprotect_fixup()`. */
function account(area: VmArea, flags: number): void {
  if (flags & VM_WRITE) area.accounted ||= !area.has(VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE)
  else if (!area.file && !area.anonVma) area.accounted = false
}
