import type { IntervalNotifierOps, InvalidateRange } from '@mmu-notifier/core'
import type { WatchedTable } from '@mmu-notifier/driver'
import { MmuNotifierError } from '@mmu-notifier/kernel'
import { errno, PAGE_SIZE, type Migration, type Mm } from '@mmu-notifier/mm'
import { asUser, faultBlocks, peekSnapshot, snapshotBlocks } from './dmirror-commands.ts'
import type { DmirrorDevice } from './dmirror-device.ts'
import type { BlockAccess, Form, Parts } from './dmirror-form.ts'
import { openKernelForm } from './dmirror-kernel.ts'
import { copyBack, migrateToDevice, migrateToSystem } from './dmirror-migrate.ts'
import { DmirrorTable, type TableEntry } from './dmirror-table.ts'
import { openV6Form } from './dmirror-v6.ts'

/** What READ and EXCLUSIVE return, and `migrateToDevice`, which reads back what has moved. */
export interface ReadResult {
  readonly bytes: Uint8Array
  /** Rounds of faulting in what was missing, not pages. */
  readonly faults: number
}

/**
 * One open of the self-test device: a mirror of one address space, with the commands that the kernel's driver has; its bugs are those of its form. Linux:
 * `struct dmirror` and the ioctls of `lib/test_hmm.c`.
 *
 * Addresses are in bytes and page aligned, counts in pages; EINVAL for others, and when the address space has ended. A command that fails has done a part of its work, as in
 * Linux.
 */
export class Dmirror implements WatchedTable {
  readonly device: DmirrorDevice
  readonly mm: Mm
  readonly #parts: Parts
  readonly #form: Form
  /** Of the last `peek`. */
  #pfns = new Int32Array(0)

  /** Linux: `dmirror_fops_open()`. */
  static async open(device: DmirrorDevice, mm: Mm): Promise<Dmirror> {
    const parts = { device, mm, lock: device.memory.kernel.mutex('dmirror.mutex'), table: new DmirrorTable() }
    return new Dmirror(parts, await (device.form === 'v6' ? openV6Form : openKernelForm)(parts))
  }

  private constructor(parts: Parts, form: Form) {
    this.device = parts.device
    this.mm = parts.mm
    this.#parts = parts
    this.#form = form
  }

  get name(): string {
    return `${this.device.name}:${this.mm.name}`
  }

  /** Of its intervals, for oracles. */
  get ops(): IntervalNotifierOps {
    return this.#form.ops
  }

  /** Bytes of the device's page table. */
  get tableBytes(): number {
    return this.#parts.table.byteLength
  }

  /** What the device's page table says of a page. For looking. */
  look(address: number): TableEntry {
    return this.#parts.table.look(address)
  }

  /** Counts changes of the device's page table: while it is the same, so is what {@link look} says. */
  get tableVersion(): number {
    return this.#parts.table.version
  }

  /** What {@link look} says of each page from `address` on, as characters. For looking. */
  lookRange(address: number, out: Uint8Array): void {
    this.#parts.table.lookRange(address, out)
  }

  /**
   * What {@link snapshot} would return now, for each page from `address` on: it depends on the areas and the page table alone. For looking: plain code, nothing is inserted
   * or locked.
   */
  peek(address: number, out: Uint8Array): void {
    if (this.#pfns.length < out.length) this.#pfns = new Int32Array(out.length)
    peekSnapshot(this.#parts, address, this.#pfns.subarray(0, out.length), out)
  }

  /** Each entry of the device's page table in `[start, end)`. For looking. */
  forEachInRange(start: number, end: number, visit: (page: number, frame: number, rights: 'read' | 'write' | 'exclusive') => void): void {
    this.#parts.table.forEachInRange(start, end, (page, frame, entry) => { visit(page, frame, entry === 'w' ? 'write' : entry === 'a' ? 'exclusive' : 'read') })
  }

  /** Whether an entry of the table maps the frame. For looking. */
  maps(frame: number): boolean {
    return this.#parts.table.maps(frame)
  }

  /** True for what the kernel's form leaves alone: its own migrations. For oracles. */
  ignores(range: InvalidateRange): boolean {
    return this.device.form === 'kernel' && range.event === 'migrate' && range.owner === this.device
  }

  /**
   * Reads through the device's page table; from the first page without an entry on all is faulted in, and what is there read again. EFAULT;
   * ORACLE where the kernel would oops. Linux: HMM_DMIRROR_READ.
   */
  async read(address: number, pages: number): Promise<ReadResult> {
    return this.#read(address, this.#end('READ', address, pages), 'read')
  }

  /**
   * The same, but faults may drop the mmap lock: pages that a userfaultfd is to bring are waited for, for as long as that takes. `read` has EFAULT for them. Linux:
   * HMM_DMIRROR_READ_UNLOCKED of the series that lets `hmm_range_fault()` drop the lock.
   */
  async readUnlocked(address: number, pages: number): Promise<ReadResult> {
    return this.#read(address, this.#end('READ_UNLOCKED', address, pages), 'unlocked read')
  }

  /**
   * Writes whole pages; those before the first that is not writable are written even if the rest fails. EFAULT, EPERM; EFAULT, too, where a
   * page of the device's own memory is read-only, unless one before it has to be faulted in. Linux: HMM_DMIRROR_WRITE.
   * @returns rounds of faulting in what was missing
   */
  async write(address: number, bytes: Uint8Array): Promise<number> {
    const end = this.#end('WRITE', address, bytes.length / PAGE_SIZE)
    for (let at = address, faults = 0; ; faults++) {
      at = await this.#copy(address, at, bytes, true)
      if (at === end) return faults
      await faultBlocks(this.#parts, this.#form, at, end, 'write')
    }
  }

  /**
   * Moves pages to the device's memory, area by area, in pieces of 64 pages, then reads all of them through the device's page table. EINVAL
   * at a hole and at memory that may not be read, when all before it has moved; ENOENT when a page is not in the table afterwards. Linux:
   * HMM_DMIRROR_MIGRATE_TO_DEV.
   */
  async migrateToDevice(address: number, pages: number): Promise<Uint8Array> {
    const end = this.#end('MIGRATE_TO_DEV', address, pages)
    await migrateToDevice(this.device, this, this.#form, address, end)
    return this.#readBack(address, end)
  }

  /** Moves pages back to RAM. EINVAL as above. Linux: HMM_DMIRROR_MIGRATE_TO_SYS. @returns how many have moved */
  async migrateToSystem(address: number, pages: number): Promise<number> {
    return migrateToSystem(this.device, this, address, this.#end('MIGRATE_TO_SYS', address, pages))
  }

  /** One byte a page: HMM_DMIRROR_PROT_ bits; nothing is faulted in. Linux: HMM_DMIRROR_SNAPSHOT. */
  async snapshot(address: number, pages: number): Promise<Uint8Array> {
    return snapshotBlocks(this.#parts, address, this.#end('SNAPSHOT', address, pages))
  }

  /**
   * Takes pages for the device alone, and reads them. EBUSY when one of them cannot be had; those before it are the device's for the CPU
   * nevertheless. ENOENT when one was lost at once. Linux: HMM_DMIRROR_EXCLUSIVE.
   */
  async exclusive(address: number, pages: number): Promise<Uint8Array> {
    const end = this.#end('EXCLUSIVE', address, pages)
    await asUser(this.mm, () => this.#form.exclusive(address, end))
    return this.#readBack(address, end)
  }

  /** EPERM when the device has a page of the range for itself still. Linux: HMM_DMIRROR_CHECK_EXCLUSIVE. */
  async checkExclusive(address: number, pages: number): Promise<void> {
    const end = this.#end('CHECK_EXCLUSIVE', address, pages)
    const { lock, table } = this.#parts
    await lock.with(async () => {
      for (let at = address; at < end; at += PAGE_SIZE) {
        if (table.isAtomic(at)) throw errno('EPERM', `CHECK_EXCLUSIVE: 0x${at.toString(16)} is exclusive`)
      }
    })
  }

  /**
   * Closes the device: everything in its memory moves back to RAM, as {@link DmirrorDevice.evict} does, then the notifiers and the table go. No command may be under way.
   * Linux: HMM_DMIRROR_RELEASE and `dmirror_fops_release()`.
   */
  async close(): Promise<void> {
    await this.device.evict()
    await this.#form.close()
  }

  /** The driver's part of a migration to RAM. @returns pages that stay because there is no RAM for them */
  copyBack(migration: Migration): Promise<number> {
    return copyBack(this.device, this.#form, migration)
  }

  async #read(address: number, end: number, access: BlockAccess): Promise<ReadResult> {
    const bytes = new Uint8Array(end - address)
    let faults = 0
    for (let at = address; ; faults++) {
      at = await this.#copy(address, at, bytes, false)
      if (at === end) return { bytes, faults }
      await faultBlocks(this.#parts, this.#form, at, end, access)
    }
  }

  /** Copies pages from `at` on, as one step of those that the CPU's accesses are: which of them comes first is seen. @returns the first page without an entry that allows it, or the end */
  #copy(start: number, at: number, bytes: Uint8Array, write: boolean): Promise<number> {
    const { lock, table, device } = this.#parts
    const { frames, tableLock } = device.memory
    const end = start + bytes.length
    return lock.with(() => tableLock.section(() => {
      for (let address = at; address < end; address += PAGE_SIZE) {
        const frame = table.frame(address, write)
        if (frame === -1) return address
        if (table.isUnbacked(address)) throw oops(write ? 'write' : 'read', address)
        const piece = bytes.subarray(address - start, address - start + PAGE_SIZE)
        if (write) frames.write(frame, 0, piece)
        else frames.readInto(frame, 0, piece)
      }
      return end
    }))
  }

  async #readBack(address: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - address)
    const at = await this.#copy(address, address, bytes, false)
    if (at < end) throw errno('ENOENT', `0x${at.toString(16)} is not in the page table of ${this.device.name}`)
    return bytes
  }

  #end(command: string, address: number, pages: number): number {
    const end = address + pages * PAGE_SIZE
    if (address % PAGE_SIZE === 0 && Number.isInteger(pages) && pages > 0 && Number.isSafeInteger(end)) return end
    throw errno('EINVAL', `${command}: expected an aligned address and at least one page, got 0x${address.toString(16)} and ${pages}`)
  }
}

/** Linux copies from a page that the CPU cannot reach, and stops. */
function oops(access: 'read' | 'write', address: number): MmuNotifierError {
  return new MmuNotifierError('ORACLE', `ORACLE: ${access} of a device page missing from the device table, at 0x${address.toString(16)}`)
}
