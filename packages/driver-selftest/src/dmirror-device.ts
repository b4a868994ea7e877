import { isMmuNotifierError } from '@mmu-notifier/kernel'
import {
  errno, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, migrateDeviceRange, PAGE_SIZE, type DeviceMemoryKind, type DevicePageFault, type DevicePages,
  type DevicePagesOps, type Mm, type PhysicalMemory,
} from '@mmu-notifier/mm'
import { Dmirror } from './dmirror.ts'

/** `kernel`: as Linux has it, with its bugs. `v6`: as the thread's series has it, with an interval for each area, and without them. */
export type DmirrorForm = 'kernel' | 'v6'

export interface DmirrorDeviceOptions {
  /** How those who open it hear of changes. Default: `kernel`. */
  readonly form?: DmirrorForm
  /** Whether the CPU can reach its memory. Default: `private`, it cannot. Linux: HMM_DMIRROR_MEMORY_DEVICE_PRIVATE, HMM_DMIRROR_MEMORY_DEVICE_COHERENT. */
  readonly kind?: DeviceMemoryKind
  /** Default: `hmm_dmirror`. */
  readonly name?: string
  /** Pages of memory. Default: 65536, which are 256 MiB. Linux: `DEVMEM_CHUNK_SIZE`. */
  readonly pages?: number
}

/**
 * The device of the kernel's self-test driver, with memory of its own, which all who open it share. Linux: `struct dmirror_device` of
 * `lib/test_hmm.c`.
 */
export class DmirrorDevice {
  readonly name: string
  readonly form: DmirrorForm
  readonly memory: PhysicalMemory
  readonly pages: DevicePages
  /** Freed pages; the last one is given out first. */
  readonly #free: number[] = []
  /** Below it no page was ever given out: they go from the highest downward. */
  #lowest: number
  /** By page: who has moved something into it. */
  readonly #users = new Map<number, Dmirror>()
  #fails = false

  constructor(memory: PhysicalMemory, { name = 'hmm_dmirror', form = 'kernel', kind = 'private', pages = 65536 }: DmirrorDeviceOptions = {}) {
    this.name = name
    this.form = form
    this.memory = memory
    const ops: DevicePagesOps = {
      migrateToRam: (fault) => this.#migrateToRam(fault),
      pageFree: (frame) => {
        this.#users.delete(frame)
        this.#free.push(frame)
      },
    }
    this.pages = memory.createDevicePages(this, pages, ops, kind)
    this.#lowest = this.pages.end
  }

  /** A process opens the device for its address space. EINVAL when that has ended. Linux: `dmirror_fops_open()`. */
  open(mm: Mm): Promise<Dmirror> {
    return Dmirror.open(this, mm)
  }

  /** One page of the next migration cannot be had, neither in the device's memory nor in RAM: it stays where it is. Linux: HMM_DMIRROR_FLAG_FAIL_ALLOC. */
  failNextAllocation(): void {
    this.#fails = true
  }

  /** Pages in use. */
  get used(): number {
    return this.#users.size
  }

  /** The frame is a page of this device's memory. */
  owns(frame: number): boolean {
    return frame >= this.pages.first && frame < this.pages.end
  }

  /** The frame is a page that only a device can reach: Linux keeps the bytes in a page behind it. */
  isUnbacked(frame: number): boolean {
    return this.memory.frames.deviceOf(frame)?.kind === 'private'
  }

  /** A free page with one reference, the caller's; -1 when there is none. Linux: `dmirror_devmem_alloc_page()`. */
  allocate(user: Dmirror): number {
    if (this.takeFailure()) return -1
    const frame = this.#free.pop() ?? (this.#lowest > this.pages.first ? --this.#lowest : -1)
    if (frame === -1) return -1
    this.pages.take(frame)
    this.#users.set(frame, user)
    return frame
  }

  /** A page in RAM with the bytes of a page of the device, and one reference; -1 when there is none. Under the page-table lock. */
  copyToSystem(frame: number): number {
    const { frames } = this.memory
    try {
      const copy = frames.allocate()
      frames.copy(frame, copy)
      return copy
    } catch (error) {
      if (!isMmuNotifierError(error, 'ENOMEM')) throw error
      return -1
    }
  }

  /** Whether the page that is to be had now is the one that cannot: see {@link failNextAllocation}. */
  takeFailure(): boolean {
    const fails = this.#fails
    this.#fails = false
    return fails
  }

  /**
   * Moves everything in the device's memory back to RAM, in the order of the pages. What there is no RAM for stays, where Linux waits for as long as it takes. Linux:
   * `dmirror_device_evict_chunk()`.
   */
  async evict(): Promise<void> {
    const used: number[] = []
    for (let frame = this.#lowest; frame < this.pages.end; frame++) if (this.#users.has(frame)) used.push(frame)
    if (used.length === 0) return
    const migration = await migrateDeviceRange(this.memory, used)
    await this.memory.tableLock.section(() => {
      migration.src.forEach((pfn, i) => {
        if (!(pfn & MIGRATE_PFN_MIGRATE) || this.takeFailure()) return
        const copy = this.copyToSystem(pfn >> MIGRATE_PFN_SHIFT)
        if (copy !== -1) migration.dst[i] = copy << MIGRATE_PFN_SHIFT
      })
    })
    await migration.pages()
    await migration.finalize()
  }

  /**
   * ENOMEM, which is a SIGBUS for whoever touches it, for a page that stays because there is no RAM: the fault would be tried again for ever, where Linux has an OOM killer.
   * Linux: `dmirror_devmem_fault()`.
   */
  async #migrateToRam({ mm, address, frame }: DevicePageFault): Promise<void> {
    const user = this.#users.get(frame)
    if (!user) return
    const migration = await mm.migrateVma({ start: address, end: address + PAGE_SIZE, owner: this, select: 'devicePrivate', faultFrame: frame })
    const missing = await user.copyBack(migration)
    await migration.pages()
    await migration.finalize()
    if (missing > 0) throw errno('ENOMEM', `${this.name}: no memory to bring the page at 0x${address.toString(16)} back`)
  }
}
