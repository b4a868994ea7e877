import { HUGE_PAGE_FRAMES, HUGE_PAGE_SIZE, PAGE_SIZE } from './constants.ts'
import { ZERO_FRAME } from './frames.ts'
import type { MmStruct } from './mm-struct.ts'
import { PMD_TABLE } from './page-table.ts'
import { alignDown, isAligned } from './pages.ts'
import { frameOf, makePte, PTE_EXCLUSIVE, PTE_PRESENT, PTE_PROTNONE, PTE_WRITE } from './pte.ts'
import { migrationEntry } from './reverse-map.ts'

/*
 * From a huge entry to one entry for each page. The page stays one page: see split-folio.ts.
 */

const MAPPED_BITS = PTE_PRESENT | PTE_WRITE | PTE_EXCLUSIVE | PTE_PROTNONE

/**
 * Splits the huge entry around `address`. The event comes even if there is none.
 * @param folio only an entry of this huge page is split, and into migration entries. Linux: `__split_huge_pmd()`, with `freeze`
 */
export function splitHugeEntry(mm: MmStruct, address: number, folio?: number): Promise<void> {
  const start = alignDown(address, HUGE_PAGE_SIZE)
  return mm.notifiers.invalidate({ start, end: start + HUGE_PAGE_SIZE, event: 'clear' }, () =>
    mm.tableLock.section(() => {
      const entry = mm.pageTable.getHuge(start)
      if (entry !== 0 && (folio === undefined || frameOf(entry) === folio)) splitInPlace(mm, start, entry, folio !== undefined)
    }),
  )
}

/** Linux: `__split_huge_pmd_locked()`. */
function splitInPlace({ pageTable, frames }: MmStruct, start: number, entry: number, freeze: boolean): void {
  const head = frameOf(entry)
  const zero = frames.isHugeZero(head)
  const bits = entry & MAPPED_BITS
  pageTable.clearHuge(start)
  for (let i = 0; i < HUGE_PAGE_FRAMES; i++) {
    const mapped = makePte(zero ? ZERO_FRAME : head + i, bits)
    pageTable.set(start + i * PAGE_SIZE, freeze ? migrationEntry(mapped) : mapped)
  }
  if (freeze) frames.removeHugeMapping(head)
  else if (!zero) frames.splitHugeMapping(head)
}

/**
 * The areas that cross `start` and `end` are about to be split there: so are the huge pages that may be. The event comes wherever an area
 * has room for one, if only the table is there. Under the mmap lock for write. Linux: `vma_adjust_trans_huge()`
 */
export async function splitHugeAround(mm: MmStruct, start: number, end: number): Promise<void> {
  await splitHugeAt(mm, start, 0)
  await splitHugeAt(mm, end, start)
}

/** @param low where the area is split already. Linux: `split_huge_pmd_if_needed()` */
async function splitHugeAt(mm: MmStruct, address: number, low: number): Promise<void> {
  if (isAligned(address, HUGE_PAGE_SIZE)) return
  const area = mm.vmas.find(address)
  const start = alignDown(address, HUGE_PAGE_SIZE)
  if (!area || start < Math.max(area.start, low) || start + HUGE_PAGE_SIZE > area.end) return
  await splitHugeAddress(mm, address)
}

/** Splits what may be around `address`, if there is a table in which it could be. Linux: `split_huge_pmd_address()`. */
export async function splitHugeAddress(mm: MmStruct, address: number, folio?: number): Promise<void> {
  const start = alignDown(address, HUGE_PAGE_SIZE)
  const table = await mm.tableLock.section(() => mm.pageTable.nextTable(start, start + HUGE_PAGE_SIZE, PMD_TABLE))
  if (table !== -1) await splitHugeEntry(mm, start, folio)
}
