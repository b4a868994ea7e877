import type { Cell, Kernel, SpinLock, WaitQueue } from '@mmu-notifier/kernel'
import { PAGE_SIZE, PageTable, type FaultedPages, type FrameTable } from '@mmu-notifier/mm'
import { ACCESSES, ENTRY_VALID, entryFrame, permits, type DeviceAccess } from './entry.ts'
import { FaultBuffer, type DeviceFault } from './fault-buffer.ts'
import { Tlb } from './tlb.ts'

/**
 * Index bits of each level of NVIDIA's GP100 page tables, the root first: 49 bits of address with 4 KiB pages (open-gpu-doc,
 * gp100-mmu-format).
 */
export const GP100_LEVELS: readonly number[] = [2, 9, 9, 8, 9]

export interface FakeMmuOptions {
  readonly name: string
  /** The memory that the device reaches by DMA. */
  readonly frames: FrameTable
  /** Index bits of each level of the device page table, the root first. Default: {@link GP100_LEVELS}. */
  readonly levels?: readonly number[]
  /** Default: 64. */
  readonly tlbEntries?: number
  /** Default: 256. */
  readonly faultEntries?: number
}

/** An access on its way through the device: from its TLB lookup to its last byte. */
interface InFlight {
  readonly page: number
  /** Of the flushes that have overtaken it, and wait for it: what its walk has read may not be cached any more. */
  readonly flushes: Cell<number>[]
}

interface Stalled {
  /** What it has reported, if the buffer was not full. */
  readonly fault: DeviceFault
  readonly outcome: Cell<'stalled' | 'replay' | { readonly error: Error }>
}

/**
 * The MMU of a device: a page table of its own, a TLB that nobody but `flush` empties, and a fault buffer.
 *
 * The device side (`read`, `write`) translates by TLB, then by a walk, and stalls on a fault until the driver replays or cancels it. The
 * driver side (`map`, `unmap`) is what a driver does under its user lock. The rules of real hardware hold: a cleared entry stays usable
 * through the TLB until a flush has been acknowledged, and the acknowledgement waits for the accesses that were translated before. An
 * invalid entry that becomes valid needs no flush.
 */
export class FakeMmu {
  readonly name: string
  readonly frames: FrameTable
  /** For looking (oracles, dumps): the driver goes through `map` and `unmap`. */
  readonly pageTable: PageTable
  readonly tlb: Tlb
  readonly #kernel: Kernel
  readonly #lock: SpinLock
  readonly #inFlight = new Set<InFlight>()
  readonly #drained: WaitQueue
  readonly #faults: FaultBuffer
  readonly #interrupt: WaitQueue
  readonly #stalled = new Set<Stalled>()
  readonly #replayed: WaitQueue

  constructor(kernel: Kernel, options: FakeMmuOptions) {
    this.name = options.name
    this.frames = options.frames
    this.pageTable = new PageTable(options.levels ?? GP100_LEVELS)
    this.tlb = new Tlb(options.tlbEntries ?? 64)
    this.#kernel = kernel
    this.#lock = kernel.spinLock(`${this.name}.hardware`)
    this.#drained = kernel.waitQueue(`${this.name}.drained`)
    this.#faults = new FaultBuffer(options.faultEntries ?? 256, kernel.cell(`${this.name}.pending`, 0))
    this.#interrupt = kernel.waitQueue(`${this.name}.interrupt`)
    this.#replayed = kernel.waitQueue(`${this.name}.replayed`)
  }

  /** Fault reports that wait for the driver. */
  get pendingFaults(): number {
    return this.#faults.pending
  }

  /** Fault reports that found the buffer full. */
  get droppedFaults(): number {
    return this.#faults.dropped
  }

  // The driver side, under the user lock. RangeError for what are no pages, or is no interval, before anything is done.

  /** Programs the valid pages of what `rangeFault` returned, and flushes those whose old entry was valid, because it may be cached. */
  async map(pages: FaultedPages): Promise<void> {
    this.#checkPages(pages)
    const replaced = await this.#lock.section(() => {
      let replaced = 0
      pages.pfns.forEach((pfn, i) => {
        if ((pfn & ENTRY_VALID) === 0) return
        const address = pages.start + i * PAGE_SIZE
        const before = this.pageTable.set(address, pfn)
        if (before !== 0 && before !== pfn) replaced++
        this.#kernel.trace('mmu:entry', this, address, before, pfn)
      })
      return replaced
    })
    if (replaced > 0) await this.flush({ start: pages.start, last: pages.end - 1 })
  }

  /**
   * Takes every page that `interval` touches away from the device: {@link clear}, then {@link flush}. When it returns, no access uses an
   * old translation, nor will.
   */
  async unmap(interval: { readonly start: number; readonly last: number }): Promise<void> {
    await this.clear(interval)
    await this.flush(interval)
  }

  /** Clears the entries only: what the TLB has of them stays usable. */
  async clear(interval: { readonly start: number; readonly last: number }): Promise<void> {
    this.#checkInterval(interval)
    const start = Math.floor(interval.start / PAGE_SIZE) * PAGE_SIZE
    const end = Math.min((Math.floor(interval.last / PAGE_SIZE) + 1) * PAGE_SIZE, this.pageTable.limit)
    await this.#lock.section(() => {
      if (start < end) this.pageTable.clearRange(start, end, (address, entry) => { this.#kernel.trace('mmu:entry', this, address, entry, 0) })
    })
  }

  /** Drops the interval from the TLB and waits for the acknowledgement: every access to it that is in flight has ended. */
  async flush(interval: { readonly start: number; readonly last: number }): Promise<void> {
    this.#checkInterval(interval)
    const overtaken = this.#kernel.cell(`${this.name}.overtaken`, 0)
    const drains = await this.#lock.section(() => {
      this.tlb.drop(interval.start, interval.last, (address, entry) => { this.#kernel.trace('mmu:tlb', this, address, entry, 0) })
      for (const { page, flushes } of this.#inFlight) {
        if (page + PAGE_SIZE <= interval.start || page > interval.last) continue
        flushes.push(overtaken)
        overtaken.value++
      }
      return overtaken.value > 0
    })
    this.#kernel.trace('mmu:flush', this, interval)
    if (drains) await this.#drained.until(() => overtaken.value === 0)
  }

  /** Sleeps until there is a fault report, or `stop` is true when {@link interrupt} is called. It reads cells, as every predicate of a `WaitQueue`. */
  async waitForFaults(stop: () => boolean): Promise<void> {
    await this.#interrupt.until(() => this.#faults.pending > 0 || stop())
  }

  /** Wakes who waits for faults, without one. */
  interrupt(): Promise<void> {
    return this.#interrupt.wakeAll()
  }

  /** Takes all fault reports out of the buffer. */
  takeFaults(): Promise<DeviceFault[]> {
    return this.#lock.section(() => this.#faults.drain())
  }

  /** Lets every stalled access try again. */
  async replay(): Promise<void> {
    this.#kernel.trace('mmu:replay', this)
    await this.#lock.section(() => {
      for (const access of this.#stalled) access.outcome.value = 'replay'
      this.#stalled.clear()
    })
    await this.#replayed.wakeAll()
  }

  /**
   * Makes accesses fail with `error`, each known by what it has reported: the faults cannot be serviced. Other accesses to the same page stay
   * stalled, those too that have reported since, because they may be allowed by now.
   * @param faults as {@link takeFaults} returned them
   */
  async cancel(faults: readonly DeviceFault[], error: Error): Promise<void> {
    for (const { address, access } of faults) this.#kernel.trace('mmu:cancel', this, address, access)
    await this.#lock.section(() => {
      for (const access of this.#stalled) {
        if (!faults.includes(access.fault)) continue
        access.outcome.value = { error }
        this.#stalled.delete(access)
      }
    })
    await this.#replayed.wakeAll()
  }

  // The device side. RangeError for what are no bytes that the format can address, TypeError for an access that is none.

  /** Reads `length` bytes at `address`. Throws what the driver cancels a fault with. */
  async read(address: number, length: number): Promise<Uint8Array> {
    this.#checkAddress(address)
    if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`${this.name}: expected a length in bytes, got ${length}`)
    const bytes = new Uint8Array(length)
    await this.#pages(address, length, 'read', (frame, offset, from, to) => { this.frames.readInto(frame, offset, bytes.subarray(from, to)) })
    return bytes
  }

  /** Writes `bytes` at `address`. Throws what the driver cancels a fault with; what comes before that page is written. */
  async write(address: number, bytes: Uint8Array): Promise<void> {
    this.#checkAddress(address)
    await this.#pages(address, bytes.length, 'write', (frame, offset, from, to) => { this.frames.write(frame, offset, bytes.subarray(from, to)) })
  }

  /** Uses one page without moving data. */
  async touch(address: number, access: DeviceAccess): Promise<void> {
    this.#checkAddress(address)
    if (!ACCESSES.includes(access)) throw new TypeError(`${this.name}: expected an access, read or write, got ${access}`)
    await this.#access(Math.floor(address / PAGE_SIZE) * PAGE_SIZE, access, () => undefined)
  }

  async #pages(address: number, length: number, access: DeviceAccess, dma: (frame: number, offset: number, from: number, to: number) => void): Promise<void> {
    for (let done = 0; done < length; ) {
      const from = done
      const page = Math.floor((address + from) / PAGE_SIZE) * PAGE_SIZE
      const offset = address + from - page
      const to = Math.min(from + PAGE_SIZE - offset, length)
      await this.#access(page, access, (frame) => { dma(frame, offset, from, to) })
      done = to
    }
  }

  /** One page: TLB lookup, walk, then fill and DMA, each a step of its own; a fault stalls and starts again. */
  async #access(page: number, access: DeviceAccess, dma: (frame: number) => void): Promise<void> {
    this.#checkAddress(page)
    for (;;) {
      const flight: InFlight = { page, flushes: [] }
      const cached = await this.#lock.section(() => {
        this.#inFlight.add(flight)
        return this.tlb.get(page)
      })
      const hit = permits(cached, access)
      const entry = hit ? cached : await this.#lock.section(() => this.pageTable.get(page))
      const stalled = await this.#land(flight, () => {
        if (!hit && entry !== 0 && flight.flushes.length === 0) this.#fill(page, entry)
        if (!permits(entry, access)) return this.#fault(page, access)
        dma(entryFrame(entry))
        return undefined
      })
      if (!stalled) return
      await this.#interrupt.wakeAll()
      await this.#replayed.until(() => stalled.outcome.value !== 'stalled')
      const outcome = stalled.outcome.value
      if (typeof outcome === 'object') throw outcome.error
    }
  }

  #checkAddress(address: number): void {
    if (Number.isSafeInteger(address) && address >= 0 && address < this.pageTable.limit) return
    throw new RangeError(`${this.name}: expected an address in bytes, a whole number below 0x${this.pageTable.limit.toString(16)}, got ${address}`)
  }

  #checkPages({ start, end, pfns }: FaultedPages): void {
    const { limit } = this.pageTable
    if (start >= 0 && end <= limit && start % PAGE_SIZE === 0 && end - start === pfns.length * PAGE_SIZE) return
    throw new RangeError(`${this.name}: expected whole pages below 0x${limit.toString(16)}, an entry for each, got ${pfns.length} for [${start}, ${end})`)
  }

  #checkInterval({ start, last }: { readonly start: number; readonly last: number }): void {
    if (Number.isSafeInteger(start) && start >= 0 && (Number.isSafeInteger(last) || last === Infinity) && last >= start) return
    throw new RangeError(`${this.name}: expected an interval of bytes, start <= last, got [${start}, ${last}]`)
  }

  #fill(page: number, entry: number): void {
    this.tlb.set(page, entry, (address, old) => { this.#kernel.trace('mmu:tlb', this, address, old, 0) })
    this.#kernel.trace('mmu:tlb', this, page, 0, entry)
  }

  /** The last step of an access; tells a flush that waits for it, also when the DMA fails: its frame may be free. */
  async #land(flight: InFlight, last: () => Stalled | undefined): Promise<Stalled | undefined> {
    try {
      return await this.#lock.section(() => {
        this.#inFlight.delete(flight)
        for (const flush of flight.flushes) flush.value--
        return last()
      })
    } finally {
      if (flight.flushes.length > 0) await this.#drained.wakeAll()
    }
  }

  #fault(page: number, access: DeviceAccess): Stalled {
    const stalled: Stalled = { fault: { address: page, access }, outcome: this.#kernel.cell(`${this.name}.outcome`, 'stalled') }
    this.#stalled.add(stalled)
    this.#faults.push(stalled.fault)
    this.#kernel.trace('mmu:fault', this, page, access)
    return stalled
  }
}
