import { hex, NotifiedMm, type InvalidateRange, type InvalidateRequest, type NotifierSubscriptions } from '@mmu-notifier/core'
import type { Immediate, RwSemaphore, SpinLock } from '@mmu-notifier/kernel'
import { HEAP_START, HUGE_PAGE_SIZE, PAGE_SIZE } from './constants.ts'
import { dropEntry, dropHugeEntry } from './entries.ts'
import { errno } from './errno.ts'
import { exitMmap } from './exit.ts'
import type { VmFile } from './file.ts'
import type { FrameTable } from './frames.ts'
import type { PhysicalMemory } from './memory.ts'
import type { Mm } from './mm.ts'
import type { FileMapper } from './page-cache.ts'
import { PageTable, X86_64_LEVELS } from './page-table.ts'
import { frameOf, NEXT_FRAME } from './pte.ts'
import { splitHugeAround, splitHugeEntry } from './split-huge.ts'
import type { VmArea } from './vma.ts'
import { VmaSet } from './vma-set.ts'

/**
 * The state of one address space, for the system calls: one file each, functions of it. `Mm` is its public face.
 *
 *     mmap lock (write)      areas, brk; with it everything below
 *     mmap lock (read)       faults, MADV_DONTNEED, truncation: entries, but not areas
 *       rmap lock (read)     who comes from a page, with any address space's mmap lock or none: one area; write: the end of the address space
 *       invalidation         start .. end, around whatever removes or reduces a present entry
 *         page-table lock    one for the machine, a spinlock: entries, frames and page caches, one leaf table a step
 *
 * Linux has a page-table lock for each leaf table, and others for frames and page caches. One for all makes a step of the CPU one step
 * here.
 */
export class MmStruct implements FileMapper {
  readonly mm: Mm
  readonly memory: PhysicalMemory
  readonly frames: FrameTable
  readonly tableLock: SpinLock
  readonly mmapLock: RwSemaphore
  readonly pageTable: PageTable = new PageTable(X86_64_LEVELS, { keepsLeaves: true, hugeStep: NEXT_FRAME })
  readonly vmas: VmaSet = new VmaSet(this)
  readonly notifiers: NotifierSubscriptions
  /** Its users, holders and locks. */
  readonly life: NotifiedMm
  /** Where the heap begins, in bytes. */
  startBrk: number
  /** Where it ends; not page aligned. */
  brk: number
  /** Everything is torn down. Under the mmap lock. */
  ended = false
  /** Sections of the mmap lock held for write that are over. Counted before the lock is given back. */
  areasVersion = 0
  /** Files of areas that went, to be looked at when the system call is through. */
  readonly #unmappedFiles = new Set<VmFile>()

  constructor(mm: Mm, memory: PhysicalMemory) {
    this.mm = mm
    this.memory = memory
    this.frames = memory.frames
    this.tableLock = memory.tableLock
    this.life = new NotifiedMm(memory.kernel, mm.name, { teardown: () => exitMmap(this) })
    this.mmapLock = this.life.mmapLock
    this.notifiers = this.life.notifiers
    this.startBrk = HEAP_START
    this.brk = HEAP_START
  }

  /** Whether private anonymous memory may be mapped by huge pages. */
  get mayMapHuge(): boolean {
    return this.memory.transparentHugepage !== 'never'
  }

  /** Runs a system call under the mmap lock. ESRCH when the address space has ended. */
  syscall<T>(call: string, mode: 'read' | 'write', body: () => Promise<T>): Promise<T> {
    return this.locked(mode, () => {
      if (this.ended) throw errno('ESRCH', `${call}: the address space ${this.mm.name} has ended`)
      return body()
    })
  }

  async locked<T>(mode: 'read' | 'write', body: () => Promise<T>): Promise<T> {
    try {
      return await (mode === 'read' ? this.mmapLock.read(body) : this.mmapLock.write(() => this.#changing(body)))
    } finally {
      if (this.#unmappedFiles.size > 0) await this.#dropFiles()
    }
  }

  /**
   * Runs `step` for each leaf table with entries in `[start, end)`, with the part of the range below it, and `huge` for each huge entry;
   * each is one step under the page-table lock. A huge page that is in the range in part only is split before.
   * @param splits for which huge entries this is so, too
   */
  async eachLeaf(
    start: number,
    end: number,
    step: (from: number, to: number) => void,
    huge: (at: number, entry: number) => void,
    splits?: (entry: number) => boolean,
  ): Promise<void> {
    let splitAt = -1
    for (let at = start; at < end; ) {
      at = await this.tableLock.section(() => {
        const from = this.pageTable.nextTable(at, end)
        if (from === -1) return end
        const to = Math.min(this.pageTable.pieceEnd(from), end)
        const entry = this.pageTable.getHuge(from)
        if (entry !== 0 && (to - from < HUGE_PAGE_SIZE || splits?.(entry))) return (splitAt = from)
        if (entry === 0) step(from, to)
        else huge(from, entry)
        return to
      })
      if (at === splitAt) await splitHugeEntry(this, at)
    }
  }

  /** Clears the entries of `[start, end)` and gives their frames back: inside an invalidation. Linux: `zap_page_range_single()`. */
  zap(start: number, end: number): Promise<void> {
    return this.eachLeaf(
      start,
      end,
      (from, to) => { this.pageTable.clearRange(from, to, (_, entry) => { dropEntry(this.frames, entry) }) },
      (at) => { dropHugeEntry(this.frames, this.pageTable.clearHuge(at)) },
    )
  }

  /**
   * Unmaps `[start, end)`, holes included: one event 'unmap' for all of it if there is any area. Under the mmap lock for write. Linux:
   * `do_munmap()`.
   */
  async unmap(start: number, end: number): Promise<void> {
    if (this.mayMapHuge) await splitHugeAround(this, start, end)
    const areas = await this.changeAreas(() => {
      const areas = this.vmas.carve(start, end)
      for (const area of areas) this.#remove(area)
      return areas
    })
    if (areas.length === 0) return
    try {
      await this.carryOut({ start, end, event: 'unmap' }, () => this.zap(start, end))
    } finally {
      await this.tableLock.section(() => {
        this.pageTable.freeTables(start, end, (from, to) => this.vmas.first(from, to) !== undefined)
      })
    }
  }

  /**
   * An invalidation for what the areas say already: if a callback throws, where one of Linux can only refuse, and be warned of, the entries
   * follow all the same; then the error goes on.
   */
  async carryOut(request: InvalidateRequest, body: () => Promise<void>): Promise<void> {
    let range: InvalidateRange | undefined
    try {
      range = await this.notifiers.invalidateRangeStart(request)
    } finally {
      try {
        await body()
      } finally {
        if (range) await this.notifiers.invalidateRangeEnd(range)
      }
    }
  }

  /** Areas come, go and change their places in one step; under the mmap lock for write. Pairs with eachMapping(). Linux: `vma_prepare()` to `vma_complete()`. */
  changeAreas<T>(change: () => Immediate<T>): Promise<T> {
    return this.memory.areasLock.section(change)
  }

  /** Takes areas out; their entries are the caller's to clear. */
  removeAreas(areas: readonly VmArea[]): Promise<void> {
    return this.changeAreas(() => {
      for (const area of areas) this.#remove(area)
    })
  }

  #remove(area: VmArea): void {
    this.vmas.remove(area)
    if (area.file) this.#unmappedFiles.add(area.file)
  }

  /**
   * {@link FileMapper.unmapFile}, in the order of the file. Linux holds the file's `i_mmap_rwsem` here; the mmap lock keeps the areas as
   * well.
   */
  unmapFile(file: VmFile, start: number, end: number, only?: ReadonlyMap<number, number>): Promise<void> {
    return this.mmapLock.read(async () => {
      const last = end === Infinity ? Infinity : end / PAGE_SIZE - 1
      for (const area of file.cache.areas.overlapping(start / PAGE_SIZE, last)) {
        if (area.mm !== this) continue
        const from = Math.max(area.start, area.start + start - area.offset)
        const to = Math.min(area.end, area.start + end - area.offset)
        if (from >= to) continue
        await this.notifiers.invalidate({ start: from, end: to, event: 'clear' }, () =>
          only ? this.#zapOnly(from, to, (address) => only.get(area.pageIndex(address))) : this.zap(from, to),
        )
      }
    })
  }

  #zapOnly(start: number, end: number, frameToGo: (address: number) => number | undefined): Promise<void> {
    const step = (from: number, to: number): void => {
      this.pageTable.updateRange(from, to, (address, entry) => {
        const frame = frameOf(entry)
        if (frame !== frameToGo(address)) return entry
        dropEntry(this.frames, entry)
        return 0
      })
    }
    return this.eachLeaf(start, end, step, noHuge)
  }

  async #changing<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body()
    } finally {
      this.areasVersion++
    }
  }

  async #dropFiles(): Promise<void> {
    const files = [...this.#unmappedFiles]
    this.#unmappedFiles.clear()
    await this.tableLock.section(() => {
      for (const file of files) file.cache.evictUnused()
    })
  }
}

/** Huge pages are private and anonymous: a file's area has none. */
export function noHuge(at: number): never {
  throw new TypeError(`a huge page at ${hex(at)}, in the area of a file`)
}
