import type { InvalidateEvent } from '@mmu-notifier/core'
import type { Cell, Kernel, SpinLock } from '@mmu-notifier/kernel'
import { at, World, type WorldOptions } from './world.ts'

/** A CPU that has a TLB. Entries are cleared, and flushed, under the lock of the page table; what they named is freed after that, and STALE if a TLB still names it. */
export class TlbWorld extends World {
  readonly ptl: SpinLock
  /** The TLB of the CPU: the frame of each page. */
  readonly tlb: readonly Cell<number>[]

  constructor(kernel: Kernel, options: WorldOptions = {}) {
    super(kernel, options)
    this.ptl = kernel.spinLock('page-table lock')
    this.tlb = this.cpu.map((_, page) => kernel.cell(`TLB ${page}`, 0))
  }

  /** An access by the CPU. The walk of the page table and the access are one step, because a flush waits for the instruction under way. @returns the frame, 0 for a fault */
  async access(page: number, use?: (frame: number) => void): Promise<number> {
    let frame = 0
    await this.tlbEntry(page).update((held) => {
      frame = held || this.walk(page)
      this.kernel.note(() => `CPU: page ${page} is ${frame === 0 ? 'a fault' : `frame ${frame}${held === 0 ? '' : ', by its TLB'}`}`)
      if (frame !== 0) use?.(frame)
      return frame
    })
    return frame
  }

  /** To a device what is not present is nothing, too. */
  override async read(page: number): Promise<number> {
    return Math.max(0, await super.read(page))
  }

  /** What hardware finds in the page table: entries that are not present are negative, and a fault. */
  protected walk(page: number): number {
    return Math.max(0, this.entry(page).value)
  }

  override async unmap(first: number, last: number = first, event: InvalidateEvent = 'unmap'): Promise<void> {
    await this.notifiers.invalidate({ ...this.rangeOf(first, last), event }, async () => {
      await this.ptl.lock()
      const frames = await this.take(first, last)
      await this.ptl.unlock()
      for (const frame of frames) await this.free(frame)
    })
  }

  /** Under the page-table lock. */
  protected async take(first: number, last: number): Promise<number[]> {
    const frames = await this.clearEntries(first, last)
    await this.flush(first, last)
    return frames
  }

  /** @returns the frames of those that were present */
  protected async clearEntries(first: number, last: number): Promise<number[]> {
    const frames: number[] = []
    for (let page = first; page <= last; page++) {
      const frame = await this.entry(page).update(() => 0)
      this.kernel.note(() => `page table: page ${page} -> nothing`)
      if (frame > 0) frames.push(frame)
    }
    return frames
  }

  /** Linux: `flush_tlb_range()`. */
  async flush(first: number, last: number = first): Promise<void> {
    for (let page = first; page <= last; page++) await this.flushPage(page)
  }

  protected async flushPage(page: number): Promise<void> {
    await this.tlbEntry(page).write(0)
    this.kernel.note(() => `flush the TLB of the CPU: page ${page}`)
  }

  protected override unused(frame: number): void {
    super.unused(frame)
    const page = this.tlb.findIndex((entry) => entry.value === frame)
    if (page >= 0) this.stale('the TLB of the CPU', page, frame)
  }

  tlbEntry(page: number): Cell<number> {
    return at(this.tlb, page)
  }
}
