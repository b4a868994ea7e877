import { hex, type InvalidateRange } from '@mmu-notifier/core'
import { PAGE_SIZE, VM_HUGETLB, VM_UFFD_MISSING, VM_WRITE } from './constants.ts'
import { devicePrivateEntry, presentEntry } from './entries.ts'
import { checkUnsigned, errno } from './errno.ts'
import { ZERO_FRAME } from './frames.ts'
import type { PhysicalMemory } from './memory.ts'
import { collect } from './migrate-collect.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'
import { frameOf, isMapping } from './pte.ts'
import { removeMigrationEntries, tryToMigrate } from './reverse-map.ts'
import type { VmArea } from './vma.ts'

/** `src`: the page can be migrated; when cleared, it stays. Linux: `MIGRATE_PFN_MIGRATE`. */
export const MIGRATE_PFN_MIGRATE = 1
/** The entry was, or is to be, writable. Linux: `MIGRATE_PFN_WRITE`. */
export const MIGRATE_PFN_WRITE = 2
/** `pfn >> MIGRATE_PFN_SHIFT` is the frame; 0 for none. Linux: `migrate_pfn_to_page()`. */
export const MIGRATE_PFN_SHIFT = 2

/** Which pages are to be moved. Linux: `struct migrate_vma`. */
export interface MigrateVmaRequest {
  /** Bytes, page aligned, inside one area. */
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** Whose doing it is: the owner of the event, so that the driver can leave its own alone. Linux: `pgmap_owner`. */
  readonly owner: unknown
  /**
   * `system`: pages in RAM, and private pages that were never written; `devicePrivate`, `deviceCoherent`: pages in the memory of `owner`, of that kind. Linux: the flags
   * MIGRATE_VMA_SELECT_SYSTEM and so on.
   */
  readonly select: 'system' | 'devicePrivate' | 'deviceCoherent'
  /** The page that a CPU fault was for, to which the fault handler has a reference. Linux: `fault_page`. */
  readonly faultFrame?: number
}

/**
 * Pages on their way, locked and mapped nowhere. What a driver does with it:
 *
 * 1. For each page whose `src` has MIGRATE_PFN_MIGRATE: get a page, copy the bytes, and store `frame << MIGRATE_PFN_SHIFT` with
 *    MIGRATE_PFN_WRITE as it should be into `dst`, whose reference goes over. `src` without a frame is zeros. 0 leaves the page.
 * 2. {@link Migration.pages}: what has MIGRATE_PFN_MIGRATE in `src` afterwards has moved.
 * 3. Program the device.
 * 4. {@link Migration.finalize}, whatever has failed: the CPU page tables map the new pages, and the old ones are given back.
 */
export class Migration {
  readonly src: Int32Array
  readonly dst: Int32Array
  /** Of the request. */
  readonly start: number
  readonly end: number
  readonly #memory: PhysicalMemory
  readonly #area: VmArea | undefined
  readonly #request: MigrateVmaRequest | undefined
  /** The second event, from its start on. */
  #range: InvalidateRange | undefined

  constructor(memory: PhysicalMemory, count: number, request?: MigrateVmaRequest, area?: VmArea) {
    this.src = new Int32Array(count)
    this.dst = new Int32Array(count)
    this.start = request?.start ?? 0
    this.end = request?.end ?? 0
    this.#memory = memory
    this.#request = request
    this.#area = area
  }

  /**
   * Takes the pages out that `collect` notes in `src`, each locked and with a reference. If a callback throws, all go back: nobody gets the
   * migration to finalize it. Linux: what `migrate_vma_setup()` and `migrate_device_range()` have in common.
   */
  async setup(collect: (src: Int32Array) => Promise<void>): Promise<this> {
    try {
      await collect(this.src)
      await this.#unmap()
    } catch (error) {
      await this.#putBack(this.src.keys())
      throw error
    }
    return this
  }

  /**
   * Commits page by page; private pages that were never there come into being, under a second event. If one of its callbacks throws, the page
   * and all behind it stay: finalize. Linux: `migrate_vma_pages()`.
   */
  async pages(): Promise<void> {
    const { src } = this
    let i = 0
    try {
      for (; i < src.length; i++) await this.#commit(i)
    } finally {
      for (; i < src.length; i++) src[i] &= ~MIGRATE_PFN_MIGRATE
      if (this.#range && this.#area) await this.#area.mm.notifiers.invalidateRangeEnd(this.#range)
    }
  }

  /** Linux: `migrate_vma_finalize()`. */
  async finalize(): Promise<void> {
    const { frames, tableLock, frameWaiters } = this.#memory
    await tableLock.section(() => {
      for (let i = 0; i < this.src.length; i++) {
        const from = this.src[i] >> MIGRATE_PFN_SHIFT
        const to = this.dst[i] >> MIGRATE_PFN_SHIFT
        const moved = (this.src[i] & MIGRATE_PFN_MIGRATE) !== 0 && to !== 0
        if (to !== 0 && !moved) frames.put(to)
        if (from !== 0) this.#arrive(from, moved ? to : from)
        if (moved) frames.put(to)
      }
    })
    await frameWaiters.wakeAll()
  }

  /** Linux: `migrate_device_unmap()`. What is mapped still, or used by somebody else, goes back. */
  async #unmap(): Promise<void> {
    const { frames, tableLock } = this.#memory
    const faultFrame = this.#request?.faultFrame
    const stay: number[] = []
    for (let i = 0; i < this.src.length; i++) {
      const frame = this.src[i] >> MIGRATE_PFN_SHIFT
      if (frame === 0) continue
      if (await tableLock.section(() => frames.mappings(frame) > 0)) await tryToMigrate(this.#memory, frame)
      const ours = 1 + (frame === faultFrame ? 1 : 0)
      const cached = frames.reverse(frame)?.anonymous === false ? 1 : 0
      if (await tableLock.section(() => frames.mappings(frame) > 0 || frames.references(frame) > ours + cached)) stay.push(i)
    }
    if (stay.length > 0) await this.#putBack(stay)
  }

  async #commit(i: number): Promise<void> {
    const { frames, tableLock } = this.#memory
    const from = this.src[i] >> MIGRATE_PFN_SHIFT
    const to = this.dst[i] >> MIGRATE_PFN_SHIFT
    if (to === 0) this.src[i] &= ~MIGRATE_PFN_MIGRATE
    else if (from !== 0) {
      if (frames.isAnonymous(from)) frames.setReverse(to, frames.reverse(from), frames.index(from))
      else this.src[i] &= ~MIGRATE_PFN_MIGRATE // the device's page cannot be in a page cache
    } else if (this.src[i] & MIGRATE_PFN_MIGRATE && this.#area && this.#request) {
      const area = this.#area
      const start = this.start + i * PAGE_SIZE
      const { owner } = this.#request
      this.#range ??= await area.mm.notifiers.invalidateRangeStart({ start, end: this.end, event: 'migrate', owner })
      if (!(await tableLock.section(() => insertPage(area, start, to)))) this.src[i] &= ~MIGRATE_PFN_MIGRATE
    }
  }

  /** Pages that are out come back to where they were. @param places in `src` */
  async #putBack(places: Iterable<number>): Promise<void> {
    await this.#memory.tableLock.section(() => {
      for (const i of places) {
        const frame = this.src[i] >> MIGRATE_PFN_SHIFT
        this.src[i] = 0
        if (frame !== 0) this.#arrive(frame, frame)
      }
    })
    await this.#memory.frameWaiters.wakeAll()
  }

  /** Under the page-table lock. */
  #arrive(from: number, to: number): void {
    const { frames } = this.#memory
    removeMigrationEntries(frames, from, to)
    frames.unlock(from)
    frames.put(from)
  }
}

/** Linux: `migrate_vma_setup()`. Under the mmap lock. */
export async function migrateVma(mm: MmStruct, request: MigrateVmaRequest): Promise<Migration> {
  const { start, end } = request
  checkUnsigned('migrateVma', { start, end })
  mm.mmapLock.assertHeld()
  const area = mm.vmas.find(start)
  if (!isAligned(start) || !isAligned(end) || start >= end || !area || area.end < end || area.has(VM_HUGETLB)) {
    throw errno('EINVAL', `migrateVma: expected whole pages of one area, not of MAP_HUGETLB, got [${hex(start)}, ${hex(end)})`)
  }
  return new Migration(mm.memory, (end - start) / PAGE_SIZE, request, area).setup((src) => collect(mm, area, request, src))
}

/**
 * Takes pages out of the memory of a device, wherever they are mapped; those that nobody uses are left out. Linux: `migrate_device_range()`.
 */
export function migrateDeviceRange(memory: PhysicalMemory, pages: readonly number[]): Promise<Migration> {
  const { frames, tableLock } = memory
  return new Migration(memory, pages.length).setup((src) =>
    tableLock.section(() => {
      pages.forEach((frame, i) => {
        if (frames.references(frame) === 0 || !frames.tryLock(frame)) return
        frames.get(frame)
        src[i] = (frame << MIGRATE_PFN_SHIFT) | MIGRATE_PFN_MIGRATE
      })
    }),
  )
}

/**
 * A private page is born in `frame`, unless something else came in between, or a userfaultfd is to bring it. Under the page-table lock. Linux: `migrate_vma_insert_page()`.
 */
function insertPage(area: VmArea, address: number, frame: number): boolean {
  const { mm } = area
  const { frames, pageTable } = mm
  const old = pageTable.get(address)
  if (area.file || area.has(VM_UFFD_MISSING) || (old !== 0 && !(isMapping(old) && frameOf(old) === ZERO_FRAME))) return false
  frames.setReverse(frame, mm.vmas.prepareAnon(area), area.pageIndex(address))
  frames.addMapping(frame)
  const entry = devicePrivateEntry(frame, area.has(VM_WRITE), true)
  pageTable.set(address, frames.deviceOf(frame)?.kind === 'private' ? entry : presentEntry(area, frame, entry))
  return true
}
