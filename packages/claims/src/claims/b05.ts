import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'
import { AtsWorld, unmapping } from '../ats-world.ts'
import { variant, type Claim } from '../claim.ts'

/** Flushes the TLB of the CPU only. */
class SkipsSecondary extends AtsWorld {
  protected override async flushSecondary(): Promise<void> {
    // at some other place
  }
}

/** Tells the device in advance. */
class FlushesFirst extends AtsWorld {
  protected override async take(first: number, last: number): Promise<number[]> {
    await this.flushSecondary(first, last)
    const frames = await this.clearEntries(first, last)
    for (let page = first; page <= last; page++) await this.flushPage(page)
    return frames
  }
}

/** A permission that is added needs no flush of the device, or so it seems. */
class UpgradesCpuOnly extends AtsWorld {
  protected override flushUpgraded(page: number): Promise<void> {
    return this.flushPage(page)
  }
}

/** A device writes to a page that is read-only at first, and is made read-only again to be written back; a CPU reads it. */
function upgrading(world: new (kernel: Kernel, pages: number, writable: boolean) => AtsWorld): Scenario<{ readonly world: AtsWorld }> {
  return {
    setup: (kernel) => ({ world: new world(kernel, 1, false) }),
    tasks: {
      device: (state) => state.world.write(0),
      writeback: (state) => state.world.protect(0),
      async cpu(state) {
        await state.world.access(0)
      },
    },
    check: (state) => { state.world.quiescent() },
  }
}

export const b05: Claim = {
  id: 'B5',
  title: 'Whoever flushes the TLB of the CPU flushes those that walk the same page table, in the same place',
  source: 'mmu_notifiers: call invalidate_range() when invalidating TLBs',
  says: `A device behind an IOMMU that walks the page table of the CPU has no page table of its own, and so no interval and no retry: all that it holds is a TLB. It is right by the rule of every TLB: clear the entry, flush, free the page. The flush belongs where that of the CPU is, under the
page-table lock; a call at some other place of each path is forgotten in one of them, or comes before the entry is gone, and the next walk undoes it.

It belongs there also when a permission is *added*, which no notifier is told of. A device that keeps the read-only entry asks for the page, is told that it may write, looks into its TLB, and asks again, for ever.`,
  variants: [
    variant('right', 'both TLBs are flushed between the change of the entry and the end of the page', 'pass', unmapping(AtsWorld)),
    variant('right upgrade', 'and when a page becomes writable', 'pass', upgrading(AtsWorld)),
    variant('a', 'the TLB of the device is not flushed', 'STALE', unmapping(SkipsSecondary)),
    variant('b', 'it is flushed before the entry is cleared', 'STALE', unmapping(FlushesFirst)),
    variant('c', 'a page that becomes writable is flushed from the TLB of the CPU only', 'HANG', upgrading(UpgradesCpuOnly)),
  ],
}
