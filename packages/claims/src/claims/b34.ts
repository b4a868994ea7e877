import type { Interval } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError, type Cell } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** The device reaches memory through an IOMMU. Its callback takes the pages out of both, the device's page table and the IOMMU's. */
class DmaDriver extends Driver {
  /** By frame: the IOMMU lets the device through. */
  readonly mapped: readonly Cell<boolean>[] = this.world.frames.map((_, frame) => this.world.kernel.cell(`dma mapping of frame ${frame}`, false))

  override async map(page: number, frame: number): Promise<void> {
    await this.mapped[frame]?.write(true)
    await super.map(page, frame)
  }

  override async zap(interval: Interval): Promise<void> {
    const frame = await this.world.deviceEntry(0).read()
    await super.zap(interval)
    if (frame !== 0) await this.unmap(frame)
  }

  protected async unmap(frame: number): Promise<void> {
    await this.mapped[frame]?.write(false)
  }

  /** The engine works off what it has fetched. STALE when that writes to a frame that is free. */
  async engine(): Promise<void> {
    const frame = await this.world.deviceEntry(0).read()
    await this.mapped[frame]?.update((mapped) => {
      if (mapped && !this.world.frame(frame).value) throw new MmuNotifierError('STALE', `STALE  the device writes to frame ${frame}, which is free, through a DMA mapping`)
      return mapped
    })
  }
}

/** It takes the pages out of the device's page table, and out of the IOMMU's when it comes back to them. */
class UnmapsLater extends DmaDriver {
  protected override async unmap(): Promise<void> {
    // at the next bind
  }
}

/** A device faults and its engine works, while the page is reclaimed. */
function reclaiming(driver: new (world: World) => DmaDriver): Scenario<Stage<DmaDriver>> {
  return stage<DmaDriver>(
    {
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      engine: ({ driver }) => driver.engine(),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver: (world) => new driver(world) },
  )
}

export const b34: Claim = {
  id: 'B34',
  title: 'A callback takes back the DMA mapping too',
  source: 'drm/xe/userptr: Unmap userptrs in the mmu notifier',
  says: `Behind an IOMMU there are two mappings: the device's page table, and the IOMMU's. To clear the first is not enough: what the engine has fetched from it already goes out with the address it had, and the IOMMU lets it through to a page that belongs to somebody else by now. If the
callback takes back both, such an access faults, and nothing is written.`,
  variants: [
    variant('right', 'the callback takes the page out of both', 'pass', reclaiming(DmaDriver)),
    variant('a', 'it leaves the DMA mapping for later', 'STALE', reclaiming(UnmapsLater)),
  ],
}
