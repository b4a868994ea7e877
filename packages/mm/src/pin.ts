import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import { getUserPages, putPages } from './get-user-pages.ts'
import type { PhysicalMemory } from './memory.ts'
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, migrateDeviceRange } from './migrate.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'

/** Pages that somebody outside of the page tables uses, and that stay where they are until then. */
export interface PinnedPages {
  /** One for each page. */
  readonly frames: readonly number[]
  /** Linux: `unpin_user_pages()`. */
  unpin(): Promise<void>
}

export interface PinOptions {
  /** Default: `read`. Linux: FOLL_WRITE. */
  readonly access?: 'read' | 'write'
  /** For as long as the process likes: a page in the memory of a device moves to RAM first. Linux: FOLL_LONGTERM. */
  readonly longterm?: boolean
}

/** {@link Mm.pinUserPages}. Linux: `pin_user_pages()`, `__gup_longterm_locked()`. */
export async function pinUserPages(mm: MmStruct, start: number, end: number, { access = 'read', longterm = false }: PinOptions): Promise<PinnedPages> {
  checkUnsigned('pinUserPages', { start, end })
  if (!isAligned(start) || !isAligned(end) || start >= end) throw errno('EINVAL', `pinUserPages: expected whole pages, got [${hex(start)}, ${hex(end)})`)
  return mm.mmapLock.read(async () => {
    for (;;) {
      const frames = await getUserPages(mm, start, end, { access })
      const missing = start + frames.length * PAGE_SIZE
      const inDevice = longterm ? frames.filter((frame) => mm.frames.deviceOf(frame) !== undefined) : []
      if (missing === end && inDevice.length === 0) return { frames, unpin: () => putPages(mm.memory, frames) }
      await putPages(mm.memory, frames) // a page that is pinned does not move
      if (missing < end) throw errno('EFAULT', `pinUserPages: ${hex(missing)} does not allow to ${access}`)
      await moveToSystem(mm.memory, inDevice)
    }
  })
}

/** Only pages that the CPU can reach come here: a page that is private to a device has come back by the fault. Linux: `migrate_device_coherent_folio()`. */
async function moveToSystem(memory: PhysicalMemory, pages: readonly number[]): Promise<void> {
  const { frames, tableLock } = memory
  const migration = await migrateDeviceRange(memory, pages)
  await tableLock.section(() => {
    migration.src.forEach((pfn, i) => {
      if (!(pfn & MIGRATE_PFN_MIGRATE)) return
      const copy = frames.allocate()
      frames.copy(pfn >> MIGRATE_PFN_SHIFT, copy)
      migration.dst[i] = copy << MIGRATE_PFN_SHIFT
    })
  })
  await migration.pages()
  await migration.finalize()
}
