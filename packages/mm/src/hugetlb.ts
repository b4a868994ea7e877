import { HUGE_PAGE_SIZE, PAGE_SIZE, VM_WRITE } from './constants.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignDown } from './pages.ts'
import { frameOf, makePte, PTE_EXCLUSIVE, PTE_PRESENT, PTE_WRITE } from './pte.ts'
import type { VmArea } from './vma.ts'

/*
 * Memory of MAP_HUGETLB: pages of 2 MiB, which come, become writable, are copied and go as a whole. Here a huge page is the 512 entries of a leaf table, which change in one
 * step, and so are always alike; its frames need not lie in a row.
 */

/** @returns `copy` when all of the huge page has to be copied: {@link copyHugetlb}. Under the page-table lock. Linux: `hugetlb_fault()` */
export function faultHugetlb(mm: MmStruct, area: VmArea, address: number, entry: number, write: boolean): 'done' | 'copy' {
  if (entry === 0) mapHugetlb(mm, area, alignDown(address, HUGE_PAGE_SIZE), write)
  else if (write && !(entry & PTE_WRITE)) return makeWritable(mm, area, alignDown(address, HUGE_PAGE_SIZE))
  return 'done'
}

/** Private memory gets a page of its own also by a read, not the zero page. Linux: `hugetlb_no_page()`. */
function mapHugetlb({ frames, pageTable, vmas }: MmStruct, area: VmArea, start: number, write: boolean): void {
  const writable = area.shared ? area.has(VM_WRITE) : write
  const bits = PTE_PRESENT | (writable ? PTE_WRITE : 0) | (area.shared ? 0 : PTE_EXCLUSIVE)
  for (const address of pagesOf(start)) {
    const index = area.pageIndex(address)
    const cached = area.shared ? area.file?.cache.bring(index) : undefined
    const frame = cached ?? frames.allocate()
    if (cached === undefined) frames.setReverse(frame, vmas.prepareAnon(area), index)
    frames.addMapping(frame)
    if (cached === undefined) frames.put(frame)
    pageTable.set(address, makePte(frame, bits))
  }
}

/** Linux: `hugetlb_wp()`, as far as nothing is copied. */
function makeWritable({ frames, pageTable }: MmStruct, area: VmArea, start: number): 'done' | 'copy' {
  const entries = pagesOf(start).map((address) => pageTable.get(address))
  const own = entries.every((entry) => entry & PTE_EXCLUSIVE || frames.references(frameOf(entry)) === 1)
  if (!area.shared && !own) return 'copy'
  entries.forEach((entry, i) => {
    const address = start + i * PAGE_SIZE
    if (!area.shared) frames.setReverse(frameOf(entry), area.anonVma, area.pageIndex(address))
    pageTable.set(address, entry | PTE_WRITE | (area.shared ? 0 : PTE_EXCLUSIVE))
  })
  return 'done'
}

/** Copies the huge page around `address`, unless the entry has changed. Linux: `hugetlb_wp()`. */
export async function copyHugetlb(mm: MmStruct, area: VmArea, address: number, entry: number): Promise<void> {
  const { frames, pageTable, vmas } = mm
  const start = alignDown(address, HUGE_PAGE_SIZE)
  await mm.notifiers.invalidate({ start, end: start + HUGE_PAGE_SIZE, event: 'clear' }, () =>
    mm.tableLock.section(() => {
      if (pageTable.get(address) !== entry) return
      for (const at of pagesOf(start)) {
        const page = frameOf(pageTable.get(at))
        const copy = frames.allocate()
        frames.copy(page, copy)
        frames.setReverse(copy, vmas.prepareAnon(area), area.pageIndex(at))
        frames.addMapping(copy)
        frames.put(copy)
        pageTable.set(at, makePte(copy, PTE_PRESENT | PTE_WRITE | PTE_EXCLUSIVE))
        frames.removeMapping(page)
      }
    }),
  )
}

function pagesOf(start: number): number[] {
  return Array.from({ length: HUGE_PAGE_SIZE / PAGE_SIZE }, (_, i) => start + i * PAGE_SIZE)
}
