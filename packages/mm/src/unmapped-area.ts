import { MMAP_BASE, MMAP_MIN_ADDRESS, PAGE_SIZE, STACK_GUARD_GAP, TASK_SIZE, VM_GROWSDOWN } from './constants.ts'
import type { VmArea } from './vma.ts'
import type { VmaSet } from './vma-set.ts'

/**
 * Finds the highest hole that is large enough.
 *
 * It looks from the top down, one area a step. To not look at all areas again for each mmap it remembers where it came to: above
 * `#searched` there is no hole of `#size` bytes or more. Linux: `free_area_cache`, before the tree of areas knew its gaps (3.8).
 */
export class UnmappedArea {
  readonly #vmas: VmaSet
  #searched = MMAP_BASE
  #size = PAGE_SIZE

  constructor(vmas: VmaSet) {
    this.#vmas = vmas
  }

  /**
   * @param alignment of the start, a power of two
   * @param ceiling the end, exclusive, of where to look; by default below the stack, and above it when there is no room
   * @returns -1 when there is no such hole
   */
  find(length: number, alignment: number = PAGE_SIZE, ceiling?: number): number {
    if (ceiling !== undefined) return this.#below(ceiling, length, alignment)
    const remembers = alignment === PAGE_SIZE
    const start = this.#below(remembers && length >= this.#size ? this.#searched : MMAP_BASE, length, alignment)
    if (start === -1) return this.#below(TASK_SIZE, length, alignment)
    if (remembers) {
      this.#searched = start + length
      this.#size = length
    }
    return start
  }

  /** An area has gone: the hole that it leaves reaches up to its neighbour. */
  freed(area: VmArea): void {
    const end = Math.min(this.#vmas.first(area.end)?.start ?? MMAP_BASE, MMAP_BASE)
    this.#searched = Math.max(this.#searched, end)
  }

  #below(ceiling: number, length: number, alignment: number): number {
    for (let start = alignDown(ceiling - length, alignment); start >= MMAP_MIN_ADDRESS; ) {
      const area = this.#vmas.first(start)
      if (!area || start + length <= gapStart(area)) return start
      start = alignDown(gapStart(area) - length, alignment)
    }
    return -1
  }
}

/** Where the hole below an area ends: a stack keeps room. Linux: `vm_start_gap()`. */
export function gapStart(area: VmArea): number {
  return area.has(VM_GROWSDOWN) ? Math.max(area.start - STACK_GUARD_GAP, 0) : area.start
}

function alignDown(address: number, alignment: number): number {
  return Math.floor(address / alignment) * alignment
}
