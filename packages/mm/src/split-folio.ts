import { HUGE_PAGE_FRAMES, HUGE_PAGE_SIZE, PAGE_SIZE, VM_ACCESS, VM_LOCKED } from './constants.ts'
import { presentEntry } from './entries.ts'
import { ZERO_FRAME, type FrameTable } from './frames.ts'
import type { PhysicalMemory } from './memory.ts'
import type { MmStruct } from './mm-struct.ts'
import { frameOf, isMapping, makePte, PTE_MIGRATION, PTE_PRESENT, PTE_PROTNONE, specialKind } from './pte.ts'
import { folioAreas, tryToMigrate, type FolioArea } from './reverse-map.ts'

/*
 * From a huge page to small ones: whoever needs pages of their own, for a device or to be forgotten one by one, splits the page itself.
 * Splitting its entries alone leaves it one page.
 */

/**
 * Locks a page that is mapped, and takes a reference. Under the page-table lock. @returns false when somebody has it locked. Linux:
 * `folio_trylock()`, `folio_get()`
 */
export function lockFolio(frames: FrameTable, head: number): boolean {
  if (!frames.tryLock(head)) return false
  frames.get(head)
  return true
}

/**
 * Splits a page that {@link lockFolio} has locked, unless somebody uses it beside its mappings. @returns whether it is split. Linux:
 * `split_folio()`
 */
export async function splitFolio(memory: PhysicalMemory, head: number): Promise<boolean> {
  try {
    return await splitLocked(memory, head)
  } finally {
    await memory.unlockFrames([head])
    await memory.tableLock.section(() => { memory.frames.put(head) })
  }
}

/** Linux: `split_huge_page_to_list_to_order()`. */
async function splitLocked(memory: PhysicalMemory, head: number): Promise<boolean> {
  const { frames, tableLock } = memory
  if (!(await tableLock.section(() => frames.folioMappings(head) === frames.references(head) - 1))) return false
  let split = false
  try {
    await tryToMigrate(memory, head)
  } finally {
    // Also when a callback has thrown: then something maps the page still, so it stays one.
    await tableLock.section(() => {
      split = frames.references(head) === 1
      const areas = folioAreas(frames, head)
      if (split) frames.splitCompound(head)
      for (const area of areas) remap(frames, head, area, split)
      if (split) for (let i = 1; i < HUGE_PAGE_FRAMES; i++) frames.put(head + i)
    })
    await memory.frameWaiters.wakeAll()
  }
  return split
}

/**
 * What is zeros all over becomes the zero page, unless it is locked into memory. Linux: `remove_migration_ptes()`,
 * `try_to_map_unused_to_zeropage()`.
 */
function remap(frames: FrameTable, head: number, { area, start, end }: FolioArea, split: boolean): void {
  const { pageTable } = area.mm
  for (let address = start; address < end; address += PAGE_SIZE) {
    const entry = pageTable.get(address)
    const frame = frameOf(entry)
    if (specialKind(entry) !== PTE_MIGRATION || frame < head || frame >= head + HUGE_PAGE_FRAMES) continue
    if (split && !area.has(VM_LOCKED) && frames.isZero(frame)) {
      pageTable.set(address, makePte(ZERO_FRAME, area.has(VM_ACCESS) ? PTE_PRESENT : PTE_PROTNONE))
      continue
    }
    frames.addMapping(frame)
    pageTable.set(address, presentEntry(area, frame, entry))
  }
}

/**
 * Splits the huge pages that are mapped in `[start, end)`, but not all of them: what is advised about their pages is about small ones.
 * Those that others share are left alone. Linux: `madvise_free_huge_pmd()`, `madvise_free_pte_range()`,
 * `madvise_cold_or_pageout_pte_range()`.
 */
export async function splitPartlyCovered(mm: MmStruct, start: number, end: number): Promise<void> {
  if (!mm.mayMapHuge) return
  for (let at = start; at < end; ) {
    const part = await mm.tableLock.section(() => nextPart(mm, at, end))
    if (!part) return
    at = (await splitFolio(mm.memory, part.head)) ? part.start : part.end
  }
}

/** A part of a page, as far as its frames lie in a row in the page table. */
interface Part {
  readonly head: number
  readonly start: number
  readonly end: number
}

/** Under the page-table lock: the next part that is not all of its page, which is locked. */
function nextPart(mm: MmStruct, start: number, end: number): Part | undefined {
  const { pageTable, frames } = mm
  for (let at = start; at < end; ) {
    const from = pageTable.nextTable(at, end)
    if (from === -1) return undefined
    const stop = Math.min(pageTable.pieceEnd(from), end)
    for (at = from; at < stop; ) {
      const part = partAt(mm, at, stop)
      const candidate = part.end - part.start < HUGE_PAGE_SIZE && frames.isCompound(part.head) && !frames.likelyMappedShared(part.head)
      if (candidate && lockFolio(frames, part.head)) return part
      at = part.end
    }
  }
  return undefined
}

/** The head is the zero page's where there is no huge page. Linux: `folio_pte_batch()`. */
function partAt({ pageTable, frames }: MmStruct, start: number, stop: number): Part {
  const entry = pageTable.get(start)
  const frame = frameOf(entry)
  const first = start + PAGE_SIZE
  if (!isMapping(entry) || !frames.isCompound(frame) || frames.isHugeZero(frame)) return { head: ZERO_FRAME, start, end: first }
  const head = frames.head(frame)
  const end = Math.min(start + (head + HUGE_PAGE_FRAMES - frame) * PAGE_SIZE, stop)
  let at = first
  for (; at < end; at += PAGE_SIZE) {
    const next = pageTable.get(at)
    if (!isMapping(next) || frameOf(next) !== frame + (at - start) / PAGE_SIZE) break
  }
  return { head, start, end: at }
}
