import { hex, type AddressRange, type IntervalNotifier, type IntervalNotifierOps, type NotifierSubscriptions } from '@mmu-notifier/core'
import { faultPage, read, tryAccess, write, type AccessSignal } from './access.ts'
import { brk } from './brk.ts'
import { PAGE_SIZE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { Access } from './fault.ts'
import type { VmFile } from './file.ts'
import { dupMmap } from './fork.ts'
import { madvise } from './madvise.ts'
import type { PhysicalMemory } from './memory.ts'
import { mmap, remapFilePages } from './mmap.ts'
import { MmStruct } from './mm-struct.ts'
import { mprotect } from './mprotect.ts'
import { mremap } from './mremap.ts'
import { munmap } from './munmap.ts'
import type { PageTable } from './page-table.ts'
import { alignDown } from './pages.ts'
import { pinUserPages, type PinnedPages, type PinOptions } from './pin.ts'
import { rangeFault, type FaultedPages, type RangeFaultRequest } from './range-fault.ts'
import { rangeFaultUnlocked, type UnlockedOptions, type UnlockedPages } from './range-fault-unlocked.ts'
import { lookRange } from './range-look.ts'
import { growStack } from './stack.ts'
import { insertOverArea } from './insert-over-area.ts'
import { makeDeviceExclusive, type ExclusivePages } from './exclusive.ts'
import { migrateVma, type Migration, type MigrateVmaRequest } from './migrate.ts'
import { Userfaultfd } from './userfaultfd.ts'
import type { Vma } from './vma.ts'

/**
 * An address space. Linux: `struct mm_struct`.
 *
 * The methods named after system calls take the arguments of Linux, in bytes, and do what Linux does, partial effects of failing calls
 * included. They throw a `MmuNotifierError` whose `code` is the errno; ESRCH after the end. A number that is no whole number in 0 .. 2^53
 * - 1 is a RangeError.
 *
 * Each change that removes or reduces a present entry happens inside an invalidation of {@link Mm.notifiers}; frames are freed there.
 * Memory that becomes present, or gains access, is not announced.
 */
export class Mm {
  readonly name: string
  readonly memory: PhysicalMemory
  readonly notifiers: NotifierSubscriptions
  /** For looking: an entry is a frame ({@link frameOf}) and PTE_ bits. */
  readonly pageTable: PageTable
  readonly #mm: MmStruct
  /** The process itself is a user until then. */
  #exited = false

  constructor(memory: PhysicalMemory, name: string) {
    this.name = name
    this.memory = memory
    this.#mm = new MmStruct(this, memory)
    this.notifiers = this.#mm.notifiers
    this.pageTable = this.#mm.pageTable
  }

  /** Who keeps the mappings: the process and those who called {@link mmget}; 0 when all is torn down. Linux: `mm_users`. */
  get users(): number {
    return this.#mm.life.users.value
  }

  /**
   * Counts what was done under the mmap lock held for write: while it is the same, and nobody holds the lock so, the areas are the same. For looking. Linux:
   * `mm_lock_seq`.
   */
  get areasVersion(): number {
    return this.#mm.areasVersion
  }

  /** Becomes a user, unless the end has begun: false then. Pair with {@link mmput}. Linux: `mmget_not_zero()`. */
  mmget(): Promise<boolean> {
    return this.#mm.life.mmget()
  }

  /**
   * A user leaves. The last one tears everything down, with callbacks: not in a callback, not under a lock that one takes. Linux:
   * `mmput()`.
   */
  mmput(): Promise<void> {
    return this.#mm.life.mmput()
  }

  /** Keeps the object, and its notifiers with it, beyond the last user. Pair with {@link mmdrop}. Linux: `mmgrab()`. */
  mmgrab(): Promise<void> {
    return this.#mm.life.mmgrab()
  }

  /** Linux: `mmdrop()`. */
  mmdrop(): Promise<void> {
    return this.#mm.life.mmdrop()
  }

  /** The process ends: its use is given back. ESRCH the second time. Linux: `exit_mm()`. */
  async exit(): Promise<void> {
    if (this.#exited) throw errno('ESRCH', `exit: the process of ${this.name} has ended already`)
    this.#exited = true
    await this.mmput()
  }

  /**
   * Maps `length` bytes, rounded up to pages, and returns where. `address` is a hint without MAP_FIXED, 0 for none. Shared anonymous
   * memory has a file of its own.
   *
   * MAP_FIXED over existing areas unmaps them first: 'unmap' of the whole range. EINVAL, EBADF, EEXIST, ENOMEM.
   */
  mmap(address: number, length: number, prot: number, flags: number, file?: VmFile, offset = 0): Promise<number> {
    return mmap(this.#mm, { address, length, prot, flags, file, offset })
  }

  /** One 'unmap' of the range as it was asked for, holes included, unless all of it is a hole. EINVAL. */
  munmap(address: number, length: number): Promise<void> {
    return munmap(this.#mm, address, length)
  }

  /**
   * One 'protectionVma' for each area whose flags change, from its first 1 GiB that has page tables on. EINVAL; ENOMEM at a hole, when
   * what lies before it is done.
   */
  mprotect(address: number, length: number, prot: number): Promise<void> {
    return mprotect(this.#mm, address, length, prot)
  }

  /**
   * Shrinks, grows in place, moves, or duplicates (shared, old length 0). @returns the new address
   *
   * A move is 'unmap' of the old place twice: the entries leave, the area goes; once with MREMAP_DONTUNMAP. Pages keep their frames.
   * EFAULT when the old range is more than one area; EINVAL, ENOMEM.
   */
  mremap(oldAddress: number, oldLength: number, newLength: number, flags: number, newAddress = 0): Promise<number> {
    return mremap(this.#mm, oldAddress, oldLength, newLength, flags, newAddress)
  }

  /**
   * Moves the end of the heap, which need not be page aligned; less is 'unmap'. @returns the new end, or the old one when it cannot be
   * moved there
   */
  brk(end: number): Promise<number> {
    return brk(this.#mm, end)
  }

  /** Where the heap begins and ends now; maps nothing. Linux: what execve does, `prctl(PR_SET_MM_BRK)`. */
  setBrk(start: number, end: number = start): void {
    checkUnsigned('setBrk', { start, end })
    if (end < start) throw new RangeError(`setBrk: expected an end from ${hex(start)} on, got ${hex(end)}`)
    this.#mm.startBrk = start
    this.#mm.brk = end
  }

  /**
   * MADV_DONTNEED, MADV_FREE (after which the pages stay: memory is never short here) and MADV_REMOVE are 'clear' of each area's part.
   * EINVAL for unknown advice; ENOMEM for holes, when all else is done.
   */
  madvise(address: number, length: number, advice: number): Promise<void> {
    return madvise(this.#mm, address, length, advice)
  }

  /** Maps page `pgoff` of the same object at `address`, inside a shared mapping. EINVAL. */
  remapFilePages(address: number, length: number, pgoff: number): Promise<void> {
    return remapFilePages(this.#mm, address, length, pgoff)
  }

  /**
   * A copy-on-write copy, without MADV_DONTFORK areas and the pages of MADV_WIPEONFORK ones: 'protectionPage' over each area of this one
   * in which a private page was ever made. Pages that are pinned are copied at once: ENOMEM.
   */
  async fork(name: string): Promise<Mm> {
    const child = new Mm(this.memory, name)
    child.setBrk(this.#mm.startBrk, this.#mm.brk)
    try {
      await dupMmap(this.#mm, child.#mm)
    } catch (error) {
      await child.exit()
      throw error
    }
    return child
  }

  /**
   * Moves the start of the area that grows down and ends above `start` down to the page of `start`. EFAULT without one; ENOMEM within 1
   * MiB of another. Linux: `expand_stack()`.
   */
  growStack(start: number): Promise<void> {
    return growStack(this.#mm, start)
  }

  /** The CPU reads: faults as needed. EFAULT where Linux sends SIGSEGV or SIGBUS. */
  read(address: number, length: number): Promise<Uint8Array> {
    return read(this.#mm, address, length)
  }

  /** The CPU writes, a page a step. On EFAULT the pages before are written. */
  write(address: number, bytes: Uint8Array): Promise<void> {
    return write(this.#mm, address, bytes)
  }

  /** The CPU reads into `bytes`, or writes them. @returns the signal in which it ends, if it does, and the address; what is before it is done */
  access(access: 'read' | 'write', address: number, bytes: Uint8Array): Promise<AccessSignal | undefined> {
    return tryAccess(this.#mm, access, address, bytes)
  }

  /** One page fault of the CPU, whether it is needed or not. A stack grows by it, up to 8 MiB. EFAULT. Linux: `handle_mm_fault()`. */
  fault(address: number, access: Access): Promise<void> {
    return faultPage(this.#mm, address, access)
  }

  /**
   * Reads the CPU page tables for a device, faulting in what is missing. Takes the mmap lock for read: not under a lock that a callback
   * takes, and not in one.
   *
   * `busy`: the range was invalidated since `readBegin`; begin there again. Otherwise program the device with the pages under the user
   * lock, if `readRetry` is false. EFAULT: no area, or no right to read, or a page that a userfaultfd is to bring; EPERM: no right to
   * write; EINVAL: not inside the notifier's interval. Linux: `hmm_range_fault()`.
   */
  rangeFault(request: RangeFaultRequest): Promise<FaultedPages | 'busy'> {
    return rangeFault(this.#mm, request)
  }

  /**
   * The same as a loop of `readBegin` and {@link Mm.rangeFault} that waits, without the mmap lock, for pages that a {@link Userfaultfd} is to
   * bring. The caller holds no lock, no tree lock and no invalidation: who resolves may need each. Then `readRetry` of what it returns as
   * `seq`, under the user lock.
   *
   * `busy`: more turns than `retries` in a row were lost to invalidations, or the notifier is dying. Errors as `rangeFault`, EINVAL also when an
   * update leaves the range outside of the notifier meanwhile; RangeError for `retries`. There are no signals and no OOM killer here, and so no EINTR. Linux: `hmm_range_fault_unlocked_timeout()`.
   */
  rangeFaultUnlocked(request: Omit<RangeFaultRequest, 'seq'>, options: UnlockedOptions = {}): Promise<UnlockedPages | 'busy'> {
    return rangeFaultUnlocked(this.#mm, request, options)
  }

  /** Who resolves faults on missing pages of this address space, of the areas that are registered with it. Linux: the system call `userfaultfd`. */
  userfaultfd(): Userfaultfd {
    return new Userfaultfd(this.#mm)
  }

  /**
   * Fills `pfns` with what `rangeFault` with access 'snapshot' would return now, from `start` on. Plain code, for looking: nothing tells a driver that uses it of a
   * change. EINVAL for an address that is not page aligned.
   */
  lookRange(start: number, pfns: Int32Array, owner?: unknown): void {
    lookRange(this.#mm, start, pfns, owner)
  }

  /**
   * Begins to move pages between RAM and the memory of a device: 'migrate' of the range, and 'clear' of each page that is mapped elsewhere
   * too, there. Under {@link mmapRead}, which is to be held until {@link Migration.finalize}. Pages that cannot be moved, because they are
   * in the memory of another device, exclusive to one, or in use, are left out. EINVAL unless the range lies in one area. Linux:
   * `migrate_vma_setup()`.
   */
  migrateVma(request: MigrateVmaRequest): Promise<Migration> {
    return migrateVma(this.#mm, request)
  }

  /**
   * Gives pages to a device for itself: all are made writable, then each gets an event 'exclusive', and the CPU faults on it from then on.
   * It ends by the next access of the CPU, with an event 'exclusive' again, that has no owner. Under {@link mmapRead}. Linux:
   * `make_device_exclusive_range()`.
   */
  makeDeviceExclusive(start: number, end: number, owner?: unknown): Promise<ExclusivePages> {
    return makeDeviceExclusive(this.#mm, start, end, owner)
  }

  /**
   * Takes a reference to each page, faulted in as needed, for somebody who uses it outside of the page tables. Takes the mmap lock. EFAULT where the access is not allowed;
   * EBUSY when a page in the memory of a device is to leave it, and somebody else uses it; ENOMEM, EINVAL. Linux: `pin_user_pages()`, `get_user_pages()`.
   */
  pinUserPages(start: number, end: number, options: PinOptions = {}): Promise<PinnedPages> {
    return pinUserPages(this.#mm, start, end, options)
  }

  /** Runs `body` under the mmap lock for read: the areas stay as they are. Linux: `mmap_read_lock()`. */
  mmapRead<T>(body: () => Promise<T>): Promise<T> {
    return this.#mm.mmapLock.read(body)
  }

  /** The page around `address`. */
  pageAt(address: number): AddressRange {
    checkUnsigned('pageAt', { address })
    const start = alignDown(address)
    return { start, end: start + PAGE_SIZE }
  }

  /**
   * A notifier with these ops that covers `address`: the one that is there, or a new one over the part of the area around `address` that
   * none of them covers. What an update is about to move counts where it will be: in effect after the next `readBegin`. With a reference of
   * the caller's, to be put, beside the owner's. EFAULT when nothing is mapped there. Takes the mmap lock, so that no munmap comes between
   * the look at the area and the insert. Linux: `find_vma()` and `mmu_interval_notifier_insert()`, as drivers call them.
   */
  insertOverVma(address: number, ops: IntervalNotifierOps): Promise<IntervalNotifier>
  insertOverVma<Data>(address: number, ops: IntervalNotifierOps<Data>, data: Data): Promise<IntervalNotifier<Data>>
  async insertOverVma<Data>(address: number, ops: IntervalNotifierOps<Data>, data?: Data): Promise<IntervalNotifier<Data>> {
    await this.notifiers.registerIntervals()
    return this.#mm.mmapLock.read(() => insertOverArea(this.#mm, address, ops, data as Data))
  }

  /** The area that contains `address`. Linux: `vma_lookup()`. */
  findVma(address: number): Vma | undefined {
    return this.#mm.vmas.find(address)
  }

  /** All areas, ascending; do not map while iterating. */
  vmas(): IterableIterator<Vma> {
    return this.#mm.vmas[Symbol.iterator]()
  }
}
