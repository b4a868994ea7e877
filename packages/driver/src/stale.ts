import { hex, type InvalidateRange } from '@mmu-notifier/core'
import { ENTRY_WRITE, entryFrame, type FakeMmu } from '@mmu-notifier/fake-mmu'
import type { Kernel } from '@mmu-notifier/kernel'
import { frameOf, PAGE_SIZE, PTE_DEVICE_EXCLUSIVE, PTE_DEVICE_PRIVATE, PTE_PRESENT, specialKind, wasWritable, type Mm } from '@mmu-notifier/mm'
import { throwViolation, type Report } from './oracle.ts'

/** What the oracle needs to know of a device. */
export interface WatchedDevice {
  readonly mm: Mm
  readonly mmu: FakeMmu
}

/** A device's page table that is no {@link FakeMmu}: of a device that is part of its driver. */
export interface WatchedTable {
  /** For messages. */
  readonly name: string
  readonly mm: Mm
  /** Each entry in `[start, end)`: the page, its frame, and what the device may do with it; `exclusive`: it has the page for itself. */
  forEachInRange(start: number, end: number, visit: (page: number, frame: number, rights: 'read' | 'write' | 'exclusive') => void): void
  /** Whether an entry maps the frame: asked for each frame that is freed. */
  maps(frame: number): boolean
  /** True for an invalidation at whose end its entries need not be right yet. */
  ignores?(range: InvalidateRange): boolean
}

/**
 * The STALE oracle: a device may know less than the CPU page table says, never more. It knows nothing of drivers: it looks at the device's
 * page table, at its TLB, and at the CPU page table.
 *
 * - Whenever a frame is freed, no watched device maps it, in table or TLB.
 * - Whenever an invalidation ends, every entry that a device of that address space has in the range is one that the CPU page table has too:
 *   same frame, and writable only if it is writable there. A page in the device's memory, and one that it has for itself, is one that the
 *   entry names although the CPU faults on it.
 */
export class StaleOracle {
  readonly #kernel: Kernel
  readonly #report: Report
  readonly #devices = new Set<WatchedDevice>()
  readonly #mmus = new Set<FakeMmu>()
  readonly #tables = new Set<WatchedTable>()
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
        for (const device of this.#devices) if (device.mm.notifiers === subscriptions) this.#lookAt(device, range, after(range))
        for (const table of this.#tables) if (table.mm.notifiers === subscriptions && !table.ignores?.(range)) this.#lookAtTable(table, range, after(range))
      }),
    ]
  }

  /** Freed frames and ended invalidations that were looked at. */
  get checked(): number {
    return this.#checked
  }

  /** Looks at a device from now on; it must not map anything yet, in table or TLB. */
  watch(device: WatchedDevice): void {
    let entries = device.mmu.pageTable.entries
    device.mmu.tlb.forEach(() => { entries++ })
    if (entries > 0) throw new TypeError(`${device.mmu.name} maps pages already: watch it from the start`)
    this.#devices.add(device)
    this.#mmus.add(device.mmu)
  }

  unwatch(device: WatchedDevice): void {
    this.#devices.delete(device)
    this.#mmus.delete(device.mmu)
  }

  /** Looks at a table from now on. */
  watchTable(table: WatchedTable): void {
    this.#tables.add(table)
  }

  unwatchTable(table: WatchedTable): void {
    this.#tables.delete(table)
  }

  /**
   * Looks at everything that is watched, at a moment when no invalidation is under way: at the end of a run, say. What devices map then is a matter of the whole run, so under
   * a checker this finds what stays stale in whichever order steps came that have nothing to do with each other.
   */
  check(): void {
    for (const device of this.#devices) this.#lookAt(device, ALL, 'at rest')
    for (const table of this.#tables) this.#lookAtTable(table, ALL, 'at rest')
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
    for (const table of this.#tables) {
      if (!table.maps(frame)) continue
      table.forEachInRange(0, Infinity, (page, mapped) => { if (mapped === frame) this.#freedTooEarly(page, 'in the page table', table.name, frame) })
    }
    if ((this.#uses[frame] ?? 0) === 0) return
    for (const { mmu } of this.#devices) {
      this.#each(mmu, 0, mmu.pageTable.limit, (where, page, entry) => {
        if (entryFrame(entry) === frame) this.#freedTooEarly(page, where, mmu.name, frame)
      })
    }
  }

  #freedTooEarly(page: number, where: string, name: string, frame: number): void {
    this.#violation(page, `is still ${where} of ${name} after its frame ${frame} was freed by ${this.#kernel.current.name}`)
  }

  #lookAt({ mm, mmu }: WatchedDevice, range: Bytes, when: string): void {
    this.#checked++
    const start = Math.floor(range.start / PAGE_SIZE) * PAGE_SIZE
    const end = Math.min(Math.ceil(range.end / PAGE_SIZE) * PAGE_SIZE, mmu.pageTable.limit)
    this.#each(mmu, start, end, (where, page, entry) => {
      this.#compare(mm, page, `${where} of ${mmu.name}`, entryFrame(entry), (entry & ENTRY_WRITE) !== 0 ? 'write' : 'read', when)
    })
  }

  #lookAtTable(table: WatchedTable, range: Bytes, when: string): void {
    this.#checked++
    const start = Math.floor(range.start / PAGE_SIZE) * PAGE_SIZE
    table.forEachInRange(start, range.end, (page, frame, rights) => { this.#compare(table.mm, page, `in the page table of ${table.name}`, frame, rights, when) })
  }

  #compare(mm: Mm, page: number, where: string, frame: number, rights: 'read' | 'write' | 'exclusive', when: string): void {
    const cpu = mm.pageTable.get(page)
    const kind = specialKind(cpu)
    const known = kind === PTE_DEVICE_PRIVATE || (kind === PTE_DEVICE_EXCLUSIVE && rights === 'exclusive')
    if ((cpu & PTE_PRESENT) === 0 && !known) this.#violation(page, `is still ${where} ${when}, but the CPU does not map it`)
    else if (frameOf(cpu) !== frame) this.#violation(page, `is ${where} with frame ${frame} ${when}, but the CPU maps frame ${frameOf(cpu)}`)
    else if (rights === 'write' && !wasWritable(cpu)) this.#violation(page, `is still writable ${where} ${when}, but not for the CPU`)
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

/** Half open. */
type Bytes = Pick<InvalidateRange, 'start' | 'end'>

const ALL: Bytes = { start: 0, end: Infinity }

function after({ event, start, end }: InvalidateRange): string {
  return `after ${event} of [${hex(start)}, ${hex(end)})`
}
