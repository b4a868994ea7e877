/*
 * A CPU page-table entry: frame << 4 | bits, of which those of the non-present kinds lie above the frame. It is one of four kinds, and the tests for one kind never hit another:
 *
 *   mapped            PRESENT, or PROTNONE where the area allows no access; with HUGE it maps the 2 MiB around
 *   device private    the page is in the memory of a device; the CPU faults, and it comes back
 *   device exclusive  the page is in RAM, and a device has it for itself; the CPU faults, and gets it back
 *   migration         the page is on its way; who faults waits
 *
 * The last three are Linux's non-present "swap" entries. The first two kinds count in `FrameTable.mappings` and hold a reference; a device
 * exclusive entry holds a reference only; a migration entry holds nothing, because who migrates does.
 */

/** The CPU may read through it. */
export const PTE_PRESENT = 1
/** The CPU may write through it. Only with PRESENT. */
export const PTE_WRITE = 2
/**
 * A private page that belongs to this address space alone: it may become writable without a copy. Won by the copy, lost at fork. Any kind
 * of entry may have it. Linux: PageAnonExclusive.
 */
export const PTE_EXCLUSIVE = 4
/** The page is there, but its VMA allows no access. Linux: _PAGE_PROTNONE. */
export const PTE_PROTNONE = 8
/** Linux: `is_device_private_entry()`. */
export const PTE_DEVICE_PRIVATE: number = 1 << 29
/** Linux: `is_device_exclusive_entry()`. */
export const PTE_DEVICE_EXCLUSIVE: number = 1 << 30
/** Linux: `is_migration_entry()`. */
export const PTE_MIGRATION: number = PTE_DEVICE_PRIVATE | PTE_DEVICE_EXCLUSIVE
/** A non-present entry that was writable, and comes back so. Linux: `is_writable_device_private_entry()` and its like. */
export const PTE_SWAP_WRITE: number = 1 << 31

/**
 * A mapped entry, of a huge page: the frames of its 2 MiB lie in a row. The bit is that of PTE_SWAP_WRITE, which mapped entries have not.
 * It is the sign, by which `PageTable` knows them. Linux: _PAGE_PSE, `pmd_trans_huge()`.
 */
export const PTE_HUGE: number = 1 << 31

/** Non-present kinds. */
const SPECIAL = PTE_MIGRATION
const FRAME_SHIFT = 4

/** From the entry of a page to that of the next in a huge page. */
export const NEXT_FRAME: number = 1 << FRAME_SHIFT

/** Frames are numbered below this: 25 bits are left of an entry. */
export const MAX_FRAMES: number = 2 ** 25

/** The entry of a frame. */
export function makePte(frame: number, bits: number): number {
  return (frame << FRAME_SHIFT) | bits
}

/** The frame of an entry. Linux: `pte_pfn()`, `swp_offset_pfn()`. */
export function frameOf(entry: number): number {
  return (entry >>> FRAME_SHIFT) & (MAX_FRAMES - 1)
}

/** `PTE_DEVICE_PRIVATE`, `PTE_DEVICE_EXCLUSIVE`, `PTE_MIGRATION`, or 0 for none of them. */
export function specialKind(entry: number): number {
  return entry & SPECIAL
}

/** The entry is that of a huge page, or of a page in one. */
export function isHuge(entry: number): boolean {
  return (entry & (PTE_HUGE | SPECIAL)) === PTE_HUGE
}

/** The entry counts as a mapping of its frame: it is present, or a device has the page. */
export function isMapping(entry: number): boolean {
  return (entry & (PTE_PRESENT | PTE_PROTNONE)) !== 0 || (entry & SPECIAL) === PTE_DEVICE_PRIVATE
}

/** Whether the entry is, or will be when the page is back, writable. */
export function wasWritable(entry: number): boolean {
  return (entry & (specialKind(entry) === 0 ? PTE_WRITE : PTE_SWAP_WRITE)) !== 0
}
