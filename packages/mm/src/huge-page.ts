import { HUGE_PAGE_SIZE, VM_HUGEPAGE, VM_HUGETLB, VM_NOHUGEPAGE } from './constants.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignDown } from './pages.ts'
import { frameOf, makePte, PTE_EXCLUSIVE, PTE_HUGE, PTE_PRESENT, PTE_WRITE } from './pte.ts'
import type { VmArea } from './vma.ts'

/*
 * Faults in private anonymous memory that map 2 MiB at once. Under the page-table lock, as all of a fault that is one step.
 */

/**
 * Whether a fault at `address`, where there is no entry, maps a huge page: it has to lie in the area as a whole, where no table is. Linux:
 * `thp_vma_allowable_order()`.
 */
export function mayMapHuge(mm: MmStruct, area: VmArea, address: number): boolean {
  const { transparentHugepage } = mm.memory
  if (transparentHugepage === 'never' || area.file || area.has(VM_NOHUGEPAGE | VM_HUGETLB)) return false
  if (transparentHugepage === 'madvise' && !area.has(VM_HUGEPAGE)) return false
  const start = alignDown(address, HUGE_PAGE_SIZE)
  const end = start + HUGE_PAGE_SIZE
  return area.start <= start && end <= area.end && mm.pageTable.nextTable(start, end) === -1
}

/** The huge zero page comes with an anonVma too, which the zero page does not. Linux: `do_huge_pmd_anonymous_page()`. */
export function mapHuge({ vmas, frames, pageTable }: MmStruct, area: VmArea, address: number, write: boolean): 'done' {
  const start = alignDown(address, HUGE_PAGE_SIZE)
  const anonVma = vmas.prepareAnon(area)
  if (!write) {
    pageTable.setHuge(start, makePte(frames.hugeZero(), PTE_HUGE | PTE_PRESENT))
    return 'done'
  }
  const head = frames.allocateHuge()
  frames.setHugeReverse(head, anonVma, area.pageIndex(start))
  frames.addHugeMapping(head)
  pageTable.setHuge(start, makePte(head, PTE_HUGE | PTE_PRESENT | PTE_WRITE | PTE_EXCLUSIVE))
  frames.put(head)
  return 'done'
}

/**
 * A write where the huge page is mapped read-only. @returns false when nothing but a copy would do: then pages are copied. Linux:
 * `do_huge_pmd_wp_page()`
 */
export function reuseHuge({ vmas, frames, pageTable }: MmStruct, area: VmArea, address: number): boolean {
  const start = alignDown(address, HUGE_PAGE_SIZE)
  const entry = pageTable.getHuge(start)
  const head = frameOf(entry)
  if (frames.isHugeZero(head)) return false
  if (!(entry & PTE_EXCLUSIVE)) {
    if (frames.references(head) > 1) return false
    frames.setHugeReverse(head, vmas.prepareAnon(area), area.pageIndex(start))
  }
  pageTable.setHuge(start, entry | PTE_WRITE | PTE_EXCLUSIVE)
  return true
}
