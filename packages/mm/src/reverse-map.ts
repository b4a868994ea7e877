import type { InvalidateRange } from '@mmu-notifier/core'
import { HUGE_PAGE_FRAMES, HUGE_PAGE_SIZE, PAGE_SIZE } from './constants.ts'
import { presentEntry } from './entries.ts'
import type { FrameTable } from './frames.ts'
import type { PhysicalMemory } from './memory.ts'
import type { MmStruct } from './mm-struct.ts'
import {
  frameOf, isMapping, makePte, PTE_DEVICE_PRIVATE, PTE_EXCLUSIVE, PTE_MIGRATION, PTE_SWAP_WRITE, specialKind, wasWritable,
} from './pte.ts'
import { splitHugeAddress } from './split-huge.ts'
import type { VmArea } from './vma.ts'

/*
 * From a page to the entries that map it, in whatever address space. The caller has the page locked.
 */

/** An area in which pages of a folio may be mapped: from `start` to `end`, exclusive, in bytes. */
export interface FolioArea {
  readonly area: VmArea
  readonly start: number
  readonly end: number
}

/**
 * The areas that may map pages of the page that `head` is the head of, in the order of the walk. Linux: `vma_address()`,
 * `vma_address_end()`.
 */
export function folioAreas(frames: FrameTable, head: number): FolioArea[] {
  const first = frames.index(head)
  const next = first + (frames.isCompound(head) ? HUGE_PAGE_FRAMES : 1)
  const areas = frames.reverse(head)?.areas.overlapping(first, next - 1) ?? []
  return areas.map((area) => ({
    area, start: area.addressOf(Math.max(first, area.pgoff)), end: area.addressOf(Math.min(next, area.lastPage + 1)),
  }))
}

/** What a walk does with the part of a page that an area may map, under the page-table lock. @returns false to end the walk */
export type VisitMappings = (mm: MmStruct, start: number, end: number) => boolean

/**
 * Calls `visit` for each area in which the page may be mapped, inside an invalidation of that part and under the page-table lock, until no
 * entry maps it any more. The event comes for each area that is visited, whether the page is mapped there or not: so the first one hears of
 * what it has already lost. An 'exclusive' one is as long as the page even where the area begins within it. Linux: `rmap_walk()` with
 * `folio_not_mapped`.
 * @param prepare comes before the event
 * @returns whether no entry maps it any more
 */
export async function eachMapping(
  { frames, tableLock, areasLock }: PhysicalMemory,
  head: number,
  { event, owner }: Pick<InvalidateRange, 'event' | 'owner'>,
  visit: VisitMappings,
  prepare?: (mm: MmStruct, start: number) => Promise<void>,
): Promise<boolean> {
  let unmapped = false
  const size = frames.isCompound(head) ? HUGE_PAGE_SIZE : PAGE_SIZE
  for (const { area, start, end } of await areasLock.section(() => folioAreas(frames, head))) {
    const { mm } = area
    // Not the mmap lock: the page may be mapped where the caller has no business, and in the address space whose lock it holds. An area that is there now keeps the address
    // space, since exitMmap() takes this lock to end it.
    const goOn = await mm.life.rmapLock.read(async () => {
      const announced = await areasLock.section(() => {
        if (area.handle === -1) return undefined
        return event === 'exclusive' ? Math.min(area.end, start + size) : end
      })
      if (announced === undefined) return true // it went while another one was told
      if (prepare) await prepare(mm, start)
      return mm.notifiers.invalidate({ start, end: announced, event, owner }, () => tableLock.section(() => {
        const more = visit(mm, start, end)
        unmapped = frames.folioMappings(head) === 0
        return more && !unmapped
      }))
    })
    if (!goOn) break
  }
  return unmapped
}

/** Puts migration entries in the place of all entries that map the page; huge ones are split for that. Linux: `try_to_migrate()`. */
export async function tryToMigrate(memory: PhysicalMemory, head: number): Promise<void> {
  const { frames } = memory
  const visit: VisitMappings = ({ pageTable }, start, end) => {
    for (let address = start; address < end; address += PAGE_SIZE) {
      const entry = pageTable.get(address)
      if (!isMapping(entry) || frames.head(frameOf(entry)) !== head) continue
      pageTable.set(address, migrationEntry(entry))
      frames.removeMapping(frameOf(entry))
    }
    return true
  }
  const prepare = frames.isCompound(head) ? (mm: MmStruct, start: number): Promise<void> => splitHugeAddress(mm, start, head) : undefined
  await eachMapping(memory, head, { event: 'clear', owner: undefined }, visit, prepare)
}

/** The entry that stands in for a mapping while its page is on its way, and knows its rights. */
export function migrationEntry(entry: number): number {
  return makePte(frameOf(entry), PTE_MIGRATION | (wasWritable(entry) ? PTE_SWAP_WRITE : 0) | (entry & PTE_EXCLUSIVE))
}

/**
 * Puts mappings of `to` in the place of all migration entries of `from`; nobody has to be told. One step under the page-table lock, so
 * that no entry is missed. Linux: `remove_migration_ptes()`.
 */
export function removeMigrationEntries(frames: FrameTable, from: number, to: number): void {
  for (const { area, start: address } of folioAreas(frames, to)) {
    const { pageTable } = area.mm
    const entry = pageTable.get(address)
    if (specialKind(entry) !== PTE_MIGRATION || frameOf(entry) !== from) continue
    frames.addMapping(to)
    pageTable.set(address, arrivedEntry(frames, area, to, entry))
  }
}

function arrivedEntry(frames: FrameTable, area: VmArea, frame: number, entry: number): number {
  if (frames.deviceOf(frame)?.kind !== 'private') return presentEntry(area, frame, entry)
  return makePte(frame, PTE_DEVICE_PRIVATE | (entry & (PTE_SWAP_WRITE | PTE_EXCLUSIVE)))
}
