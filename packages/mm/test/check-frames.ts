import { expect } from 'vitest'
import { frameOf, isHuge, PAGE_SIZE, PTE_DEVICE_EXCLUSIVE, PTE_MIGRATION, specialKind, ZERO_FRAME, type Mm } from '../src/index.ts'

/**
 * Counts again, from the page tables of all address spaces of a machine without files, how often each frame is mapped and referenced, and
 * compares that with what the frames say. Nothing is under way. @returns the frames in use
 */
export function checkFrames(...mms: Mm[]): number {
  const mappings = new Map<number, number>()
  const references = new Map<number, number>()
  const count = (counts: Map<number, number>, frame: number): void => { counts.set(frame, (counts.get(frame) ?? 0) + 1) }
  const [{ memory }] = mms as [Mm, ...Mm[]]
  const { frames } = memory
  for (const { pageTable, vmas } of mms.map((mm) => ({ pageTable: mm.pageTable, vmas: [...mm.vmas()] }))) {
    for (const { start, end } of vmas) {
      for (let at = start; at < end; at += PAGE_SIZE) {
        const entry = pageTable.get(at)
        const frame = frameOf(entry)
        if (entry === 0 || frame === ZERO_FRAME || frames.isHugeZero(frame)) continue
        const kind = specialKind(entry)
        if (kind === PTE_MIGRATION) throw new Error(`a migration entry is left at ${at.toString(16)}`)
        if (kind !== PTE_DEVICE_EXCLUSIVE) count(mappings, frame)
        if (!isHuge(entry) || frame === frames.head(frame)) count(references, frames.head(frame))
      }
    }
  }
  for (const [frame, expected] of mappings) expect(frames.mappings(frame), `mappings of frame ${frame}`).toBe(expected)
  for (const [head, expected] of references) expect(frames.references(head), `references to frame ${head}`).toBe(expected)
  const used = [...references.keys()].reduce((sum, head) => sum + (frames.isCompound(head) ? 512 : 1), 1)
  expect(frames.used, 'frames in use').toBe(used)
  return used
}
