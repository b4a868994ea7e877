import { hex } from '@mmu-notifier/core'
import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { HUGE_PAGE_SIZE, PAGE_SIZE, TASK_SIZE, UFFDIO_REGISTER_MODE_MISSING, VM_HUGETLB, VM_UFFD_MISSING } from './constants.ts'
import { mapOwn, presentEntry } from './entries.ts'
import { checkUnsigned, errno } from './errno.ts'
import { ZERO_FRAME } from './frames.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignDown, isAligned } from './pages.ts'
import { splitHugeAround } from './split-huge.ts'
import { UserfaultQueue, type UserFault, type UserfaultMessage } from './userfault-queue.ts'
import type { VmArea } from './vma.ts'

export interface UserfaultOptions {
  /** Who waits there sleeps on, until {@link Userfaultfd.wake}. Linux: UFFDIO_COPY_MODE_DONTWAKE. */
  readonly dontWake?: boolean
}

/**
 * Who resolves the faults on missing pages of an address space: of private anonymous memory, in the areas that are registered with it. `Mm.userfaultfd()` makes one. Linux: the
 * system call `userfaultfd` and its ioctls, `struct userfaultfd_ctx`.
 *
 * Only `copy`, `zeropage`, `wake`, `unregister` and `close` wake who waits. munmap and mremap do not: who resolves finds no area (ENOENT) and has to `wake`, so that the access
 * ends as it has to.
 *
 * Starts and lengths are in bytes; EINVAL unless they are whole pages of user space. EBADF after `close`. After the end of the address space `copy` and `zeropage` are ESRCH, `register`
 * and `unregister` ENOMEM, as in Linux.
 */
export class Userfaultfd {
  readonly #mm: MmStruct
  readonly #queue: UserfaultQueue

  constructor(mm: MmStruct) {
    this.#mm = mm
    this.#queue = new UserfaultQueue(mm.memory)
  }

  /**
   * Faults on missing pages of the areas in `[start, start + length)` wait from now on; pages that are there stay. EINVAL for another mode than UFFDIO_REGISTER_MODE_MISSING,
   * where nothing is mapped, and for memory that is not private and anonymous; ENOMEM when nothing is mapped there or behind; EBUSY when some of it is another's. Linux:
   * `UFFDIO_REGISTER`.
   */
  async register(start: number, length: number, mode: number = UFFDIO_REGISTER_MODE_MISSING): Promise<void> {
    if (mode !== UFFDIO_REGISTER_MODE_MISSING) throw errno('EINVAL', `UFFDIO_REGISTER: expected UFFDIO_REGISTER_MODE_MISSING, got ${mode}`)
    await this.#change('UFFDIO_REGISTER', start, length, this, 'EBUSY')
  }

  /** Faults there are handled as usual again, those that wait too. Errors as `register`, but EINVAL when some of it is another's. Linux: `UFFDIO_UNREGISTER`. */
  async unregister(start: number, length: number): Promise<void> {
    await this.#change('UFFDIO_UNREGISTER', start, length, undefined, 'EINVAL')
    await this.#queue.wake(start, start + length)
  }

  /**
   * Waits for a fault that nobody has read. Whoever faults sleeps on, until it is woken. @returns undefined once the userfaultfd is closed: that ends a reader here, where Linux
   * keeps the file open for as long as somebody reads. Linux: `userfaultfd_read()`
   */
  async read(): Promise<UserfaultMessage | undefined> {
    const fault = await this.#queue.read()
    return fault && { address: fault.address, write: fault.write }
  }

  /**
   * Makes pages of `bytes` present from `start` on, writable where the area is, and wakes who waits for them. Not announced: nothing was there. ENOENT unless all of it is in one
   * registered area; EEXIST when the first page is there, ENOMEM when there is no frame for it, which wake nobody. Linux: `UFFDIO_COPY`.
   * @returns bytes done: less than asked for when a page behind the first is there, or has no frame
   */
  copy(start: number, bytes: Uint8Array, options?: UserfaultOptions): Promise<number> {
    const { frames } = this.#mm
    return this.#fill('UFFDIO_COPY', start, bytes.length, options, (area, at) => {
      const frame = frames.allocate()
      frames.write(frame, 0, bytes.subarray(at - start, at - start + PAGE_SIZE))
      mapOwn(this.#mm, area, at, frame)
    })
  }

  /** The same with the zero page, read-only. Linux: `UFFDIO_ZEROPAGE`. */
  zeropage(start: number, length: number, options?: UserfaultOptions): Promise<number> {
    const { frames, pageTable, vmas } = this.#mm
    return this.#fill('UFFDIO_ZEROPAGE', start, length, options, (area, at) => {
      vmas.prepareAnon(area)
      frames.addMapping(ZERO_FRAME)
      pageTable.set(at, presentEntry(area, ZERO_FRAME, 0))
    })
  }

  /** Who waits for a page there looks again; where it is missing still, it is told again. Linux: `UFFDIO_WAKE`. */
  async wake(start: number, length: number): Promise<void> {
    await this.#queue.wake(start, checkRange('UFFDIO_WAKE', start, length))
  }

  /** The areas are like all others again, and who waits goes on. Linux: `userfaultfd_release()`. */
  async close(): Promise<void> {
    const { vmas } = this.#mm
    await this.#mm.locked('write', async () => {
      this.#assertOpen('close')
      await this.#queue.close()
      await this.#mm.changeAreas(() => {
        for (const area of [...vmas]) {
          if (area.userfaultfd !== this) continue
          area.setUserfaultfd(undefined)
          vmas.merge(area)
        }
      })
    })
    await this.#queue.wake(0, Infinity)
    await this.#queue.wakeReaders()
  }

  /**
   * A fault on a missing page of an area that is registered here. Under the mmap lock, which the caller releases before it waits for what this returns; undefined when the page
   * has come. Linux: `handle_userfault()`
   */
  queue(address: number, write: boolean): Promise<UserFault | undefined> {
    return this.#queue.queue(this.#mm.pageTable, address, write)
  }

  /** @param taken the errno for an area that is registered with another one */
  async #change(call: string, start: number, length: number, owner: Userfaultfd | undefined, taken: 'EBUSY' | 'EINVAL'): Promise<void> {
    const end = checkRange(call, start, length)
    const mm = this.#mm
    await mm.locked('write', async () => {
      this.#assertOpen(call)
      if (mm.ended) throw errno('ENOMEM', `${call}: the address space ${mm.mm.name} has ended`)
      const first = mm.vmas.first(start)
      if (!first) throw errno('ENOMEM', `${call}: nothing is mapped from ${hex(start)} on`)
      if (first.start >= end) throw errno('EINVAL', `${call}: nothing is mapped in [${hex(start)}, ${hex(end)})`)
      const areas = mm.vmas.touching(start, end)
      for (const area of areas) {
        if (area.file || area.has(VM_HUGETLB)) throw errno('EINVAL', `${call}: the area at ${hex(area.start)} is not private anonymous memory, or of MAP_HUGETLB`)
        if (area.userfaultfd && area.userfaultfd !== this) throw errno(taken, `${call}: the area at ${hex(area.start)} is registered with another userfaultfd`)
      }
      for (const area of areas) {
        if (area.userfaultfd === owner) continue // also what has been joined with an area before it
        const from = Math.max(area.start, start)
        const to = Math.min(area.end, end)
        if (mm.mayMapHuge) await splitHugeAround(mm, from, to)
        await mm.changeAreas(() => {
          for (const part of mm.vmas.carve(from, to)) {
            part.setUserfaultfd(owner)
            mm.vmas.merge(part)
          }
        })
      }
    })
  }

  /** Linux: `mfill_atomic()`. */
  async #fill(call: string, start: number, length: number, options: UserfaultOptions | undefined, install: (area: VmArea, at: number) => void): Promise<number> {
    const end = checkRange(call, start, length)
    const mm = this.#mm
    let at = start
    await mm.syscall(call, 'read', async () => {
      this.#assertOpen(call)
      const area = mm.vmas.find(start)
      if (!area?.has(VM_UFFD_MISSING) || area.end < end) throw errno('ENOENT', `${call}: [${hex(start)}, ${hex(end)}) is not in one registered area`)
      const fillTable = (): boolean => {
        for (const to = Math.min(alignDown(at, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE, end); at < to; at += PAGE_SIZE) {
          if (mm.pageTable.get(at) !== 0) return false
          install(area, at)
        }
        return true
      }
      try {
        while (at < end && (await mm.tableLock.section(fillTable)));
      } catch (error) {
        if (at === start || !isMmuNotifierError(error, 'ENOMEM')) throw error // behind the first page it is short, as by a page that is there
      }
      if (at === start) throw errno('EEXIST', `${call}: the page at ${hex(start)} is there`)
    })
    if (!options?.dontWake) await this.#queue.wake(start, at)
    return at - start
  }

  /** Under the mmap lock. */
  #assertOpen(call: string): void {
    if (this.#queue.closed) throw errno('EBADF', `${call}: the userfaultfd of ${this.#mm.mm.name} is closed`)
  }
}

/** @returns the end. Linux: `validate_range()` */
function checkRange(call: string, start: number, length: number): number {
  checkUnsigned(call, { start, length })
  if (isAligned(start) && isAligned(length) && length > 0 && length <= TASK_SIZE && start <= TASK_SIZE - length) return start + length
  throw errno('EINVAL', `${call}: expected whole pages of user space, got ${hex(start)} and ${hex(length)}`)
}
