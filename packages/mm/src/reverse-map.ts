import type { InvalidateEvent } from '@mmu-notifier/core'
import { PAGE_SIZE } from './constants.ts'
import { presentEntry } from './entries.ts'
import type { FrameTable } from './frames.ts'
import type { PhysicalMemory } from './memory.ts'
import type { MmStruct } from './mm-struct.ts'
import {
  frameOf, isMapping, makePte, PTE_DEVICE_PRIVATE, PTE_EXCLUSIVE, PTE_MIGRATION, PTE_SWAP_WRITE, specialKind, wasWritable,
} from './pte.ts'
import type { VmArea } from './vma.ts'

/*
 * From a page to the entries that map it, in whatever address space. The caller has the page locked.
 */

/**
 * Calls `change` for the entry that maps `frame` in each area that may, inside an invalidation of that page and under the page-table lock,
 * until no entry maps it any more. The event comes for each area that is visited, whether the page is mapped there or not: so the first
 * one hears of what it has already lost. Linux: `rmap_walk()` with `folio_not_mapped`.
 */
export async function eachMapping(
  { frames, tableLock }: PhysicalMemory,
  frame: number,
  event: InvalidateEvent,
  owner: unknown,
  change: (mm: MmStruct, address: number, entry: number) => void,
): Promise<void> {
  const index = frames.index(frame)
  for (const area of frames.reverse(frame)?.areas.overlapping(index, index) ?? []) {
    if (area.handle === -1) continue // it went while another one was told
    const { mm } = area
    const address = area.addressOf(index)
    // Not the mmap lock: the page may be mapped where the caller has no business, and in the address space whose lock it holds.
    await mm.life.rmapLock.read(() =>
      mm.notifiers.invalidate({ start: address, end: address + PAGE_SIZE, event, owner }, () =>
        tableLock.section(() => {
          const entry = mm.pageTable.get(address)
          if (isMapping(entry) && frameOf(entry) === frame) change(mm, address, entry)
        }),
      ),
    )
    if (frames.mappings(frame) === 0) return
  }
}

/** Puts migration entries in the place of all entries that map the page. Linux: `try_to_migrate()`. */
export function tryToMigrate(memory: PhysicalMemory, frame: number): Promise<void> {
  return eachMapping(memory, frame, 'clear', undefined, (mm, address, entry) => {
    mm.pageTable.set(address, migrationEntry(entry))
    memory.frames.removeMapping(frame)
  })
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
  const index = frames.index(to)
  for (const area of frames.reverse(to)?.areas.overlapping(index, index) ?? []) {
    const { pageTable } = area.mm
    const address = area.addressOf(index)
    const entry = pageTable.get(address)
    if (specialKind(entry) !== PTE_MIGRATION || frameOf(entry) !== from) continue
    frames.addMapping(to)
    pageTable.set(address, arrivedEntry(frames, area, to, entry))
  }
}

function arrivedEntry(frames: FrameTable, area: VmArea, frame: number, entry: number): number {
  if (!frames.deviceOf(frame)) return presentEntry(area, frame, entry)
  return makePte(frame, PTE_DEVICE_PRIVATE | (entry & (PTE_SWAP_WRITE | PTE_EXCLUSIVE)))
}
