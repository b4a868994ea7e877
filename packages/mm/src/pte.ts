/*
 * A CPU page-table entry: frame << 4 | bits. Each has exactly one of PRESENT and PROTNONE.
 */

/** The CPU may read through it. */
export const PTE_PRESENT = 1
/** The CPU may write through it. Only with PRESENT. */
export const PTE_WRITE = 2
/**
 * A private page that belongs to this address space alone: it may become writable without a copy. Won by the copy, lost at fork. Linux:
 * PageAnonExclusive.
 */
export const PTE_EXCLUSIVE = 4
/** The page is there, but its VMA allows no access. Linux: _PAGE_PROTNONE. */
export const PTE_PROTNONE = 8

const FRAME_SHIFT = 4

/** The entry of a frame. */
export function makePte(frame: number, bits: number): number {
  return (frame << FRAME_SHIFT) | bits
}

/** The frame of an entry. Linux: `pte_pfn()`. */
export function frameOf(entry: number): number {
  return entry >> FRAME_SHIFT
}
