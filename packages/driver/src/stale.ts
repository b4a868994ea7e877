import { hex, type InvalidateRange } from '@mmu-notifier/core'
import { ENTRY_WRITE, entryFrame, type FakeMmu } from '@mmu-notifier/fake-mmu'
import type { Kernel } from '@mmu-notifier/kernel'
import { frameOf, PAGE_SIZE, PTE_PRESENT, PTE_WRITE, type Mm } from '@mmu-notifier/mm'
import { throwViolation, type Report } from './oracle.ts'

/** What the oracle needs to know of a device. */
export interface WatchedDevice {
  readonly mm: Mm
  readonly mmu: FakeMmu
}

/**
 * The STALE oracle: a device may know less than the CPU page table says, never more. It knows nothing of drivers: it looks at the device's
 * page table, at its TLB, and at the CPU page table.
 *
 * - Whenever a frame is freed, no watched device maps it, in table or TLB.
 * - Whenever an invalidation ends, every entry that a device of that address space has in the range is one that the CPU page table has too:
 *   same frame, and writable only if it is writable there.
 */
export class StaleOracle {
  readonly #kernel: Kernel
  readonly #report: Report
  readonly #devices = new Set<WatchedDevice>()
  readonly #mmus = new Set<FakeMmu>()
  /** By frame: entries of watched tables and TLBs that map it. */
  #uses = new Int32Array(1024)
  readonly #off: (() => void)[]
  #checked = 0

  /** Listens from now on. @param report default: throws */
  constructor(kernel: Kernel, report: Report = throwViolation) {
    this.#kernel = kernel
    this.#report = report
    const changed = (mmu: FakeMmu, _page: number, before: number, after: number): void => {
      if (!this.#mmus.has(mmu)) return
      if (before !== 0) this.#count(before, -1)
      if (after !== 0) this.#count(after, 1)
    }
    this.#off = [
      kernel.on('mmu:entry', changed),
      kernel.on('mmu:tlb', changed),
      kernel.on('mm:frame_free', (frame) => { this.#frameFreed(frame) }),
      kernel.on('mmu_notifier:range_end', (range, subscriptions) => {
        for (const device of this.#devices) if (device.mm.notifiers === subscriptions) this.#rangeEnded(device, range)
      }),
    ]
  }

  /** Freed frames and ended invalidations that were looked at. */
  get checked(): number {
    return this.#checked
  }

  /** Looks at a device from now on; it must not map anything yet. */
  watch(device: WatchedDevice): void {
    if (device.mmu.pageTable.entries > 0) throw new TypeError(`${device.mmu.name} maps pages already: watch it from the start`)
    this.#devices.add(device)
    this.#mmus.add(device.mmu)
  }

  unwatch(device: WatchedDevice): void {
    this.#devices.delete(device)
    this.#mmus.delete(device.mmu)
  }

  /** Stops listening. */
  close(): void {
    for (const off of this.#off) off()
  }

  #count(entry: number, by: number): void {
    const frame = entryFrame(entry)
    if (frame >= this.#uses.length) {
      const grown = new Int32Array(Math.max(frame + 1, 2 * this.#uses.length))
      grown.set(this.#uses)
      this.#uses = grown
    }
    this.#uses[frame] = (this.#uses[frame] ?? 0) + by
  }

  #frameFreed(frame: number): void {
    this.#checked++
    if ((this.#uses[frame] ?? 0) === 0) return
    for (const { mmu } of this.#devices) {
      this.#each(mmu, 0, mmu.pageTable.limit, (where, page, entry) => {
        if (entryFrame(entry) === frame) this.#violation(page, `is still ${where} of ${mmu.name} after its frame ${frame} was freed by ${this.#kernel.current.name}`)
      })
    }
  }

  #rangeEnded({ mm, mmu }: WatchedDevice, range: InvalidateRange): void {
    this.#checked++
    const start = Math.floor(range.start / PAGE_SIZE) * PAGE_SIZE
    const end = Math.min(Math.ceil(range.end / PAGE_SIZE) * PAGE_SIZE, mmu.pageTable.limit)
    this.#each(mmu, start, end, (where, page, entry) => {
      const cpu = mm.pageTable.get(page)
      const after = `after ${range.event} of [${hex(range.start)}, ${hex(range.end)})`
      if ((cpu & PTE_PRESENT) === 0) this.#violation(page, `is still ${where} of ${mmu.name} ${after}, but the CPU does not map it`)
      else if (frameOf(cpu) !== entryFrame(entry)) {
        this.#violation(page, `is ${where} of ${mmu.name} with frame ${entryFrame(entry)} ${after}, but the CPU maps frame ${frameOf(cpu)}`)
      } else if ((entry & ENTRY_WRITE) !== 0 && (cpu & PTE_WRITE) === 0) {
        this.#violation(page, `is still writable ${where} of ${mmu.name} ${after}, but not for the CPU`)
      }
    })
  }

  #each(mmu: FakeMmu, start: number, end: number, visit: (where: string, page: number, entry: number) => void): void {
    if (start >= end) return
    mmu.pageTable.forEachInRange(start, end, (page, entry) => { visit('in the page table', page, entry) })
    mmu.tlb.forEach((page, entry) => { if (page >= start && page < end) visit('in the TLB', page, entry) })
  }

  #violation(page: number, what: string): void {
    this.#report({ oracle: 'STALE', page, message: `STALE  page ${hex(page)} ${what}` })
  }
}
