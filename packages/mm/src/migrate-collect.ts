import { PAGE_SIZE } from './constants.ts'
import { ZERO_FRAME } from './frames.ts'
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, MIGRATE_PFN_WRITE, type MigrateVmaRequest } from './migrate.ts'
import type { MmStruct } from './mm-struct.ts'
import { frameOf, isMapping, wasWritable } from './pte.ts'
import { migrationEntry } from './reverse-map.ts'
import { lockFolio, splitFolio } from './split-folio.ts'
import { splitHugeEntry } from './split-huge.ts'
import type { VmArea } from './vma.ts'

const SELECTED = { system: undefined, devicePrivate: 'private', deviceCoherent: 'coherent' } as const

/**
 * Takes the pages of the range that can be moved out of the page table: each is locked, with a reference, and a migration entry in its place.
 * Linux: `migrate_vma_collect()`.
 * @param src of the migration
 */
export async function collect(mm: MmStruct, area: VmArea, request: MigrateVmaRequest, src: Int32Array): Promise<void> {
  const { start, end, owner } = request
  await mm.notifiers.invalidate({ start, end, event: 'migrate', owner }, async () => {
    for (let at = start; at < end; ) {
      const { to, split } = await mm.tableLock.section(() => {
        const to = Math.min(mm.pageTable.pieceEnd(at), end)
        const huge = mm.pageTable.getHuge(at)
        if (huge !== 0) return { to, split: splitter(mm, at, frameOf(huge)) }
        for (let address = at; address < to; address += PAGE_SIZE) {
          src[(address - start) / PAGE_SIZE] = collectPage(mm, area, address, request)
        }
        return { to, split: undefined }
      })
      if (!split || !(await split())) at = to
    }
  })
}

/**
 * Only small pages migrate. @returns what splits a huge one, and tells whether it has; undefined when somebody has the page locked. Linux:
 * the beginning of `migrate_vma_collect_pmd()`
 */
function splitter(mm: MmStruct, at: number, head: number): (() => Promise<boolean>) | undefined {
  if (mm.frames.isHugeZero(head)) {
    return async () => {
      await splitHugeEntry(mm, at)
      return true
    }
  }
  return lockFolio(mm.frames, head) ? () => splitFolio(mm.memory, head) : undefined
}

/** Linux: `migrate_vma_collect_pmd()`, `migrate_vma_collect_hole()`. */
function collectPage(mm: MmStruct, area: VmArea, address: number, { select, owner }: MigrateVmaRequest): number {
  const { frames, pageTable } = mm
  const entry = pageTable.get(address)
  if (entry === 0) return area.file ? 0 : MIGRATE_PFN_MIGRATE
  if (!isMapping(entry)) return 0
  const frame = frameOf(entry)
  const device = frames.deviceOf(frame)
  if (device?.kind !== SELECTED[select] || (device && device.owner !== owner)) return 0
  if (frame === ZERO_FRAME) return MIGRATE_PFN_MIGRATE
  if (!frames.reverse(frame) || frames.isCompound(frame)) return 0
  if (!frames.tryLock(frame)) return 0
  frames.get(frame)
  pageTable.set(address, migrationEntry(entry))
  frames.removeMapping(frame)
  return (frame << MIGRATE_PFN_SHIFT) | MIGRATE_PFN_MIGRATE | (wasWritable(entry) ? MIGRATE_PFN_WRITE : 0)
}
