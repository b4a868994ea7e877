import { PAGE_SIZE, type Mm, type VmFile } from '@mmu-notifier/mm'

/** Half open, in bytes. */
export interface Range {
  readonly start: number
  readonly end: number
}

export function pageAlign(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE
}

/** From `start`, `length` bytes rounded up to pages. */
export function pagesFrom(start: number, length: number): Range {
  return { start, end: start + pageAlign(length) }
}

export function overlap(a: Range, b: Range): boolean {
  return a.start < b.end && b.start < a.end
}

/** What is mapped in a range, of one area. */
export interface Piece extends Range {
  readonly prot: number
  readonly shared: boolean
  readonly file: VmFile | undefined
}

/** The pieces of a range that are mapped, ascending. */
export function mappedIn(mm: Mm, range: Range): Piece[] {
  const pieces: Piece[] = []
  for (const { start, end, prot, shared, file } of mm.vmas()) {
    if (start >= range.end) break
    if (end > range.start) pieces.push({ start: Math.max(start, range.start), end: Math.min(end, range.end), prot, shared, file })
  }
  return pieces
}

/** True when a range has no hole. */
export function isMapped(mm: Mm, { start, end }: Range): boolean {
  let at = start
  for (let vma = mm.findVma(at); vma && at < end; vma = mm.findVma(at)) at = vma.end
  return at >= end
}

/** The pieces of a range that are not mapped, ascending. */
export function holesIn(mm: Mm, range: Range): Range[] {
  if (isMapped(mm, range)) return []
  const holes: Range[] = []
  let at = range.start
  for (const { start, end } of mappedIn(mm, range)) {
    if (start > at) holes.push({ start: at, end: start })
    at = end
  }
  if (at < range.end) holes.push({ start: at, end: range.end })
  return holes
}
