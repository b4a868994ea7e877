import type { Cell, Completion, WaitQueue } from '@mmu-notifier/kernel'
import type { PhysicalMemory } from './memory.ts'
import type { PageTable } from './page-table.ts'

/** A fault that waits to be resolved. Linux: `struct uffd_msg` of the event UFFD_EVENT_PAGEFAULT. */
export interface UserfaultMessage {
  /** Of the page. */
  readonly address: number
  /** For write. Linux: UFFD_PAGEFAULT_FLAG_WRITE. */
  readonly write: boolean
}

/** One task that sleeps for a page, without the mmap lock. Linux: `struct userfaultfd_wait_queue`. */
export class UserFault implements UserfaultMessage {
  readonly address: number
  readonly write: boolean
  readonly woken: Completion
  readonly #readers: WaitQueue

  constructor(address: number, write: boolean, woken: Completion, readers: WaitQueue) {
    this.address = address
    this.write = write
    this.woken = woken
    this.#readers = readers
  }

  /** When the mmap lock is released. Afterwards nothing that was known before holds: areas, entries and sequence numbers are to be looked up again. */
  async wait(): Promise<void> {
    await this.#readers.wakeAll()
    await this.woken.wait()
  }
}

/**
 * The faults that wait for one userfaultfd.
 *
 *     who faults                                          who resolves
 *     mmap lock (read)
 *       the page is missing: queued, in one step
 *     the mmap lock is released, a reader is woken        read: takes the first that nobody has read
 *     sleeps                                              copy: mmap lock (read), the page becomes present
 *                                                         what waits in the range leaves the queue, and is woken
 *     mmap lock (read): everything is looked up again
 *
 *   Required at the crossing: the look at the entry and the place in the queue are one step under the page-table lock. So a page that comes before is seen, and who brings it
 *   afterwards finds the fault in the queue.
 */
export class UserfaultQueue {
  readonly #memory: PhysicalMemory
  /** Faults that nobody has read; changes under the page-table lock. Linux: `fault_pending_wqh`. */
  readonly #pending: Cell<readonly UserFault[]>
  /** Faults that were read and not woken yet, under the page-table lock. Linux: `fault_wqh`. */
  #read: readonly UserFault[] = []
  /** Never false again. Linux: `released`. */
  readonly #closed: Cell<boolean>
  /** Who waits for a message. Linux: `fd_wqh`. */
  readonly #readers: WaitQueue

  constructor(memory: PhysicalMemory) {
    const { kernel } = memory
    this.#memory = memory
    this.#pending = kernel.cell('userfaultfd.pending', [])
    this.#closed = kernel.cell('userfaultfd.released', false)
    this.#readers = kernel.waitQueue('userfaultfd')
  }

  /** Under the mmap lock. */
  get closed(): boolean {
    return this.#closed.value
  }

  /** Under the mmap lock held for write, so that nobody queues any more who does not see it. */
  close(): Promise<void> {
    return this.#closed.write(true)
  }

  /** Queues a fault, unless the page has come: undefined then. Under the mmap lock. Linux: `userfaultfd_must_wait()` */
  queue(pageTable: PageTable, address: number, write: boolean): Promise<UserFault | undefined> {
    const fault = new UserFault(address, write, this.#memory.kernel.completion('userfault'), this.#readers)
    return this.#memory.tableLock.section(() => {
      if (pageTable.get(address) !== 0) return undefined
      this.#pending.value = [...this.#pending.value, fault]
      return fault
    })
  }

  /** Waits for a fault that nobody has read, and takes it; undefined once closed. Linux: `userfaultfd_ctx_read()`. */
  async read(): Promise<UserFault | undefined> {
    for (;;) {
      await this.#readers.until(() => this.#closed.value || this.#pending.value.length > 0)
      const found = await this.#memory.tableLock.section(() => {
        if (this.#closed.value) return 'closed'
        const fault = this.#pending.value.at(0)
        if (!fault) return undefined // another reader was quicker, or it was woken unread
        this.#pending.value = this.#pending.value.slice(1)
        this.#read = [...this.#read, fault]
        return fault
      })
      if (found) return found === 'closed' ? undefined : found
    }
  }

  /** What waits in `[start, end)` leaves the queue, read or not. Linux: `wake_userfault()`. */
  async wake(start: number, end: number): Promise<void> {
    const woken = await this.#memory.tableLock.section(() => {
      const stays = ({ address }: UserFault): boolean => address < start || address >= end
      const all = [...this.#read, ...this.#pending.value]
      this.#read = this.#read.filter(stays)
      this.#pending.value = this.#pending.value.filter(stays)
      return all.filter((fault) => !stays(fault))
    })
    for (const fault of woken) await fault.woken.complete()
  }

  /** Lets readers look whether it is closed. */
  wakeReaders(): Promise<void> {
    return this.#readers.wakeAll()
  }
}
