import {
  MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, MIGRATE_PFN_WRITE, PROT_READ, PROT_WRITE, errno, PAGE_SIZE, type Migration, type Mm,
  type Vma,
} from '@mmu-notifier/mm'
import type { DmirrorDevice } from './dmirror-device.ts'
import { BLOCK, type Form } from './dmirror-form.ts'
import type { Dmirror } from './dmirror.ts'
import type { DmirrorTable } from './dmirror-table.ts'

/**
 * Calls `migrate` for each piece of `[start, end)`: a part of one area, and no more than a block. EINVAL at a hole, and at an area that
 * does not allow to read, when all before it is done.
 */
async function eachPiece(mm: Mm, start: number, end: number, migrate: (start: number, end: number, vma: Vma) => Promise<void>): Promise<void> {
  for (let at = start; at < end; ) {
    const vma = mm.findVma(at)
    if (!vma || !(vma.prot & PROT_READ)) throw errno('EINVAL', `migrate: nothing that can be read is mapped at 0x${at.toString(16)}`)
    const to = Math.min(end, at + BLOCK, vma.end)
    await migrate(at, to, vma)
    at = to
  }
}

/** Linux: `dmirror_migrate_to_device()`, but for reading the pages back. */
export async function migrateToDevice(device: DmirrorDevice, mirror: Dmirror, form: Form, start: number, end: number): Promise<void> {
  const { mm } = mirror
  await mm.mmapRead(() =>
    eachPiece(mm, start, end, async (from, to, vma) => {
      const migration = await mm.migrateVma({ start: from, end: to, owner: device, select: 'system' })
      await mm.memory.tableLock.section(() => { copyToDevice(device, mirror, migration, vma) })
      await migration.pages()
      await form.commit(migration)
      await migration.finalize()
    }),
  )
  await form.arrived(start, end)
}

/** Linux: `dmirror_migrate_alloc_and_copy()`. */
function copyToDevice(device: DmirrorDevice, mirror: Dmirror, { src, dst }: Migration, vma: Vma): void {
  const { frames } = device.memory
  for (let i = 0; i < src.length; i++) {
    if (!(src[i] & MIGRATE_PFN_MIGRATE)) continue
    const page = device.allocate(mirror)
    if (page === -1) continue
    const from = src[i] >> MIGRATE_PFN_SHIFT
    if (from === 0) frames.clear(page)
    else frames.copy(from, page)
    const writable = (src[i] & MIGRATE_PFN_WRITE) !== 0 || (from === 0 && (vma.prot & PROT_WRITE) !== 0)
    dst[i] = (page << MIGRATE_PFN_SHIFT) | (writable ? MIGRATE_PFN_WRITE : 0)
  }
}

/** Linux: `dmirror_migrate_finalize_and_map()`. */
export function storeMigrated(table: DmirrorTable, { start, src, dst }: Migration): void {
  for (let i = 0; i < src.length; i++) {
    if (!(src[i] & MIGRATE_PFN_MIGRATE) || dst[i] === 0) continue
    table.store(start + i * PAGE_SIZE, dst[i] >> MIGRATE_PFN_SHIFT, dst[i] & MIGRATE_PFN_WRITE ? 'write' : 'read')
  }
}

/** Linux: `dmirror_migrate_to_system()`. @returns pages that have moved */
export async function migrateToSystem(device: DmirrorDevice, mirror: Dmirror, start: number, end: number): Promise<number> {
  const { mm } = mirror
  const select = device.pages.kind === 'private' ? 'devicePrivate' : 'deviceCoherent'
  let moved = 0
  await mm.mmapRead(() =>
    eachPiece(mm, start, end, async (from, to) => {
      const migration = await mm.migrateVma({ start: from, end: to, owner: device, select })
      await mirror.copyBack(migration)
      await migration.pages()
      for (let i = 0; i < migration.src.length; i++) if (migration.dst[i] !== 0 && migration.src[i] & MIGRATE_PFN_MIGRATE) moved++
      await migration.finalize()
    }),
  )
  return moved
}

/** What comes back to RAM is copied. Linux: `dmirror_devmem_fault_alloc_and_copy()`. @returns pages that stay because there is no RAM for them */
export function copyBack(device: DmirrorDevice, form: Form, { start, src, dst }: Migration): Promise<number> {
  return device.memory.tableLock.section(() => {
    let missing = 0
    for (let i = 0; i < src.length; i++) {
      const frame = src[i] >> MIGRATE_PFN_SHIFT
      if (frame === 0 || !(src[i] & MIGRATE_PFN_MIGRATE) || device.takeFailure()) continue
      const copy = device.copyToSystem(frame)
      if (copy === -1) {
        missing++
        continue
      }
      form.leaves(start + i * PAGE_SIZE)
      dst[i] = (copy << MIGRATE_PFN_SHIFT) | (src[i] & MIGRATE_PFN_WRITE)
    }
    return missing
  })
}
