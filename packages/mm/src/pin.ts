import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import { getUserPages, unpinPages } from './get-user-pages.ts'
import type { PhysicalMemory } from './memory.ts'
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, Migration } from './migrate.ts'
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
  /** For as long as the process likes: a page in the memory of a device moves to RAM first, EBUSY if it cannot. Linux: FOLL_LONGTERM. */
  readonly longterm?: boolean
}

/** {@link Mm.pinUserPages}. Linux: `pin_user_pages()`, `__gup_longterm_locked()`. */
export async function pinUserPages(mm: MmStruct, start: number, end: number, { access = 'read', longterm = false }: PinOptions): Promise<PinnedPages> {
  checkUnsigned('pinUserPages', { start, end })
  if (!isAligned(start) || !isAligned(end) || start >= end) throw errno('EINVAL', `pinUserPages: expected whole pages, got [${hex(start)}, ${hex(end)})`)
  return mm.mmapLock.read(async () => {
    for (;;) {
      const frames = await getUserPages(mm, start, end, { access, pin: true })
      const missing = start + frames.length * PAGE_SIZE
      const inDevice = longterm ? frames.filter((frame) => mm.frames.deviceOf(frame) !== undefined) : []
      if (missing === end && inDevice.length === 0) return { frames, unpin: () => unpinPages(mm.memory, frames) }
      if (missing < end) {
        await unpinPages(mm.memory, frames)
        throw errno('EFAULT', `pinUserPages: ${hex(missing)} does not allow to ${access}`)
      }
      await unpinPages(mm.memory, frames.filter((frame) => mm.frames.deviceOf(frame) === undefined))
      await moveToSystem(mm.memory, inDevice)
    }
  })
}

/**
 * Takes over the pins, whatever comes of it. Only pages that the CPU can reach come here: a page that is private to a device has come back by
 * the fault. EBUSY for a page that somebody else uses; ENOMEM. Linux: `migrate_longterm_unpinnable_folios()`
 */
async function moveToSystem(memory: PhysicalMemory, pages: readonly number[]): Promise<void> {
  let next = 0
  try {
    while (next < pages.length) {
      const frame = pages[next++]
      if (!(await movePage(memory, frame))) throw errno('EBUSY', `pinUserPages: page ${frame} of a device is in use, and cannot move to RAM`)
    }
  } finally {
    await unpinPages(memory, pages.slice(next))
  }
}

/** Takes over the pin, which becomes the migration's reference. @returns whether nobody else has used the page. Linux: `migrate_device_coherent_folio()` */
async function movePage(memory: PhysicalMemory, frame: number): Promise<boolean> {
  const { frames, tableLock } = memory
  const migration = await new Migration(memory, 1).setup(async (src) => {
    await memory.lockFrame(frame)
    await tableLock.section(() => {
      frames.get(frame)
      frames.unpin(frame)
    })
    src[0] = (frame << MIGRATE_PFN_SHIFT) | MIGRATE_PFN_MIGRATE
  })
  const { src, dst } = migration
  try {
    await tableLock.section(() => {
      if (src[0] === 0) return
      const copy = frames.allocate()
      frames.copy(frame, copy)
      dst[0] = copy << MIGRATE_PFN_SHIFT
    })
    await migration.pages()
    return (src[0] & MIGRATE_PFN_MIGRATE) !== 0
  } finally {
    await migration.finalize()
  }
}
