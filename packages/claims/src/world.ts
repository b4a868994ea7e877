import { NotifiedMm, type InvalidateEvent, type NotifierSubscriptions } from '@mmu-notifier/core'
import type { Operations } from '@mmu-notifier/core/steps'
import { MmuNotifierError, type Cell, type Kernel } from '@mmu-notifier/kernel'

export const PAGE = 0x1000

export interface WorldOptions {
  /** Default 1. */
  readonly pages?: number
  /** The steps of the core, when one of them is to be wrong. */
  readonly operations?: (kernel: Kernel, mm: NotifiedMm) => Operations
  readonly teardown?: () => Promise<void>
}

/**
 * The smallest address space with a device: a CPU page table, frames, and the device's page table, each entry a word. Page p maps frame p + 1 at first; 0 is "nothing". Each method is as few steps as
 * the question needs: an entry read, an entry written, a frame freed.
 *
 * Its oracle is STALE, at the very steps that could show it: no entry of the device may name a frame that was freed, neither when it is freed nor when the entry is written.
 */
export class World {
  readonly kernel: Kernel
  readonly mm: NotifiedMm
  readonly notifiers: NotifierSubscriptions
  readonly pages: number
  /** The CPU page table: the frame of each page. */
  readonly cpu: readonly Cell<number>[]
  /** By frame: false when it was freed. Frames 1 .. pages are mapped at first; as many more are there for {@link replace}. */
  readonly frames: readonly Cell<boolean>[]
  /** The device page table: the frame of each page. */
  readonly device: readonly Cell<number>[]

  constructor(kernel: Kernel, { pages = 1, operations, teardown }: WorldOptions = {}) {
    this.kernel = kernel
    this.pages = pages
    this.mm = new NotifiedMm(kernel, 'mm', { ...(operations && { operations }), ...(teardown && { teardown }) })
    this.notifiers = this.mm.notifiers
    const each = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
    this.cpu = each(pages, (p) => kernel.cell(`pte ${p}`, p + 1))
    this.frames = each(2 * pages + 1, (frame) => kernel.cell(`frame ${frame}`, true))
    this.device = each(pages, (p) => kernel.cell(`device pte ${p}`, 0))
  }

  /** The addresses of pages `first` .. `last`, for an interval. */
  pagesOf(first: number, last: number = first): { readonly start: number; readonly last: number } {
    return { start: first * PAGE, last: (last + 1) * PAGE - 1 }
  }

  /** The same as a range, for an event. */
  rangeOf(first: number, last: number = first): { readonly start: number; readonly end: number } {
    return { start: first * PAGE, end: (last + 1) * PAGE }
  }

  // The CPU

  /** Takes pages away: between start and end of an invalidation the entries are cleared and the frames freed. */
  async unmap(first: number, last: number = first, event: InvalidateEvent = 'unmap'): Promise<void> {
    await this.notifiers.invalidate({ ...this.rangeOf(first, last), event }, async () => {
      for (let page = first; page <= last; page++) await this.clear(page)
    })
  }

  /** Reclaims a page: the same, by somebody who has no business with the process. */
  reclaim(page: number): Promise<void> {
    return this.unmap(page, page, 'clear')
  }

  /** The OOM reaper takes pages away, if nobody would have to wait for that. */
  async reap(first: number, last: number = first): Promise<void> {
    const range = await this.notifiers.invalidateRangeStartNonblock({ ...this.rangeOf(first, last), event: 'clear' })
    if (range === 'EAGAIN') return
    for (let page = first; page <= last; page++) await this.clear(page)
    await this.notifiers.invalidateRangeEnd(range)
  }

  /** Moves a page to another frame and frees the old one: migration, or a write to a shared page. */
  async replace(page: number): Promise<void> {
    const frame = page + 1 + this.pages
    await this.notifiers.invalidate({ ...this.rangeOf(page), event: 'clear' }, async () => {
      const old = await this.entry(page).update(() => frame)
      this.kernel.note(() => `CPU: page ${page} -> frame ${frame}`)
      await this.free(old)
    })
  }

  /** Clears an entry of the CPU page table, and frees its frame. */
  async clear(page: number): Promise<void> {
    const frame = await this.entry(page).update(() => 0)
    this.kernel.note(() => `CPU: page ${page} -> nothing`)
    await this.free(frame)
  }

  /** STALE when a device entry names the frame. */
  async free(frame: number): Promise<void> {
    if (frame === 0) return
    await this.frame(frame).update(() => {
      this.kernel.note(() => `free frame ${frame}`)
      this.unused(frame)
      return false
    })
  }

  /** In the step that frees it: STALE when anybody still reaches the frame. */
  protected unused(frame: number): void {
    const page = this.device.findIndex((entry) => entry.value === frame)
    if (page >= 0) this.stale('the device', page, frame)
  }

  /** Reads an entry of the CPU page table, as rangeFault does. */
  async read(page: number): Promise<number> {
    const frame = await this.entry(page).read()
    this.kernel.note(() => `read page ${page}: ${this.nameOf(frame)}`)
    return frame
  }

  // The device

  /** Writes an entry of the device page table. STALE when the frame is free. */
  async program(page: number, frame: number): Promise<void> {
    await this.deviceEntry(page).update(() => {
      this.kernel.note(() => `device: page ${page} -> ${this.nameOf(frame)}`)
      if (frame !== 0 && this.isFree(frame)) this.stale('the device', page, frame)
      return frame
    })
  }

  /** Clears the device entries of an interval of addresses; they are flushed with it. */
  async zap({ start, last }: { readonly start: number; readonly last: number }): Promise<void> {
    for (let page = Math.ceil(start / PAGE); page * PAGE <= last && page < this.pages; page++) {
      await this.deviceEntry(page).write(0)
      this.kernel.note(() => `device: page ${page} -> nothing`)
    }
  }

  // At the end

  /** QUIESCENT: nothing is under way, so nothing may be odd, active or deferred. For `check`. */
  quiescent(): void {
    const { seq, active, deferred } = this.notifiers
    if (active === 0 && seq % 2 === 0 && deferred === 0) return
    throw new MmuNotifierError('QUIESCENT', `QUIESCENT  at rest the sequence is ${seq}, ${active} invalidations are open and ${deferred} operations are deferred`)
  }

  /** LEAK: the only holders of the address space are its users, and `intervals` that have not gone. For `check`. */
  nothingLeft(intervals = 0): void {
    const { outstanding } = this.notifiers
    const holders = this.mm.count.value - (this.mm.users.value > 0 ? 1 : 0)
    if (outstanding > intervals || holders > intervals) throw new MmuNotifierError('LEAK', `LEAK  ${outstanding} notifiers are left, and ${holders} holders of the address space`)
  }

  entry(page: number): Cell<number> {
    return at(this.cpu, page)
  }

  deviceEntry(page: number): Cell<number> {
    return at(this.device, page)
  }

  frame(frame: number): Cell<boolean> {
    return at(this.frames, frame)
  }

  /** What an entry names, for a person. */
  protected nameOf(frame: number): string {
    return frame === 0 ? 'nothing' : `frame ${frame}`
  }

  protected isFree(frame: number): boolean {
    return !this.frame(frame).value
  }

  protected stale(who: string, page: number, frame: number): never {
    throw new MmuNotifierError('STALE', `STALE  ${who} maps page ${page} to ${this.nameOf(frame)}, which is free`)
  }
}

/** An element that has to be there. */
export function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new RangeError(`there is no ${index} among ${list.length}`)
  return found
}
