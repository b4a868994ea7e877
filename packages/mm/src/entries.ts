import type { FrameTable } from './frames.ts'
import type { MmStruct } from './mm-struct.ts'
import {
  frameOf, PTE_DEVICE_EXCLUSIVE, PTE_DEVICE_PRIVATE, PTE_EXCLUSIVE, PTE_MIGRATION, PTE_PRESENT, PTE_PROTNONE, PTE_SWAP_WRITE, PTE_WRITE,
  makePte, specialKind,
} from './pte.ts'
import { VM_ACCESS, VM_WRITE } from './constants.ts'
import type { VmArea } from './vma.ts'

/*
 * What system calls do to an entry, whatever kind it is of. Under the page-table lock.
 */

/** An entry is cleared: its frame gets back what the entry had of it. Linux: `zap_pte_range()`. */
export function dropEntry(frames: FrameTable, entry: number): void {
  const kind = specialKind(entry)
  if (kind === PTE_MIGRATION) return // the page is in the hands of who migrates it
  if (kind === PTE_DEVICE_EXCLUSIVE) frames.put(frameOf(entry))
  else frames.removeMapping(frameOf(entry))
}

/** The same for that of a huge page. Linux: `zap_huge_pmd()`. */
export function dropHugeEntry(frames: FrameTable, entry: number): void {
  frames.removeHugeMapping(frameOf(entry))
}

/**
 * A private page is shared by fork: for neither of the two the entry is writable or exclusive any more. @returns the entry for both. Linux: `copy_nonpresent_pte()`,
 * `copy_present_pte()`
 */
export function shareEntry(frames: FrameTable, entry: number): number {
  if (specialKind(entry) === PTE_MIGRATION) return entry & ~(PTE_SWAP_WRITE | PTE_EXCLUSIVE)
  frames.addMapping(frameOf(entry))
  return entry & ~(PTE_WRITE | PTE_SWAP_WRITE | PTE_EXCLUSIVE)
}

/** The same for a huge page. @returns the entry for both. Linux: `copy_huge_pmd()` */
export function shareHugeEntry(frames: FrameTable, entry: number): number {
  frames.addHugeMapping(frameOf(entry))
  return entry & ~(PTE_WRITE | PTE_EXCLUSIVE)
}

/**
 * The area allows something else from now on. A page becomes writable at once when no copy can be needed; else the next write faults. What
 * is not present does not become writable again. Linux: `change_pte_range()`, `can_change_pte_writable()`, `change_huge_pmd()`.
 */
export function protectEntry(entry: number, flags: number, shared: boolean): number {
  if (specialKind(entry) !== 0) return entry & ~PTE_SWAP_WRITE
  const rest = entry & ~(PTE_PRESENT | PTE_WRITE | PTE_PROTNONE)
  if ((flags & VM_ACCESS) === 0) return rest | PTE_PROTNONE
  const writable = (flags & VM_WRITE) !== 0 && (shared || (entry & PTE_EXCLUSIVE) !== 0)
  return rest | PTE_PRESENT | (writable ? PTE_WRITE : 0)
}

/** Maps a new page, which nobody else has, writable where the area is; takes over the caller's reference. */
export function mapOwn({ frames, pageTable, vmas }: MmStruct, area: VmArea, address: number, frame: number): void {
  frames.setReverse(frame, vmas.prepareAnon(area), area.pageIndex(address))
  frames.addMapping(frame)
  pageTable.set(address, presentEntry(area, frame, PTE_EXCLUSIVE | (area.has(VM_WRITE) ? PTE_SWAP_WRITE : 0)))
  frames.put(frame)
}

/** The end of exclusive access: the entry maps the page again, with the rights that it had. Linux: `restore_exclusive_pte()`. */
export function restoreExclusive(frames: FrameTable, area: VmArea, entry: number): number {
  frames.reattachMapping(frameOf(entry))
  return presentEntry(area, frameOf(entry), entry)
}

/** The entry that maps `frame` in RAM with the rights that `entry` says it had. Linux: `remove_migration_pte()`. */
export function presentEntry(area: VmArea, frame: number, entry: number): number {
  const exclusive = entry & PTE_EXCLUSIVE
  if (!area.has(VM_ACCESS)) return makePte(frame, PTE_PROTNONE | exclusive)
  const writable = (entry & PTE_SWAP_WRITE) !== 0 || (area.shared && area.has(VM_WRITE))
  return makePte(frame, PTE_PRESENT | exclusive | (writable ? PTE_WRITE : 0))
}

/** The entry of a page in the memory of a device. Linux: `make_writable_device_private_entry()` and its like. */
export function devicePrivateEntry(frame: number, writable: boolean, exclusive: boolean): number {
  return makePte(frame, PTE_DEVICE_PRIVATE | (writable ? PTE_SWAP_WRITE : 0) | (exclusive ? PTE_EXCLUSIVE : 0))
}
