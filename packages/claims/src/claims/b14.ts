import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel, SpinLock } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { World } from '../world.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** Pages 0 and 1 move to the place of 2 and 3, where nothing is, by a move of the table that has their entries. */
class MovingWorld extends World {
  readonly ptl: SpinLock = this.kernel.spinLock('page-table lock')

  constructor(kernel: Kernel) {
    super(kernel, { pages: 4 })
    this.entry(2).value = 0
    this.entry(3).value = 0
  }

  async mremap(): Promise<void> {
    await this.notifiers.invalidate({ ...this.announced(), event: 'unmap' }, () =>
      this.ptl.section(() => {
        this.kernel.note(() => 'CPU: pages 0 and 1 -> the place of 2 and 3')
        for (const page of [0, 1]) {
          this.entry(page + 2).value = this.entry(page).value
          this.entry(page).value = 0
        }
      }),
    )
  }

  protected announced(): { readonly start: number; readonly end: number } {
    return this.rangeOf(0, 1)
  }
}

/** Announces what one entry of the lowest level has, and moves a table. */
class Narrow extends MovingWorld {
  protected override announced(): { readonly start: number; readonly end: number } {
    return this.rangeOf(0)
  }
}

/** A device uses a page that is moved, and then reclaimed at its new place. */
function moving(world: new (kernel: Kernel) => MovingWorld): Scenario<WorldStage<MovingWorld>> {
  return worldStage((kernel) => new world(kernel), {
    device: async ({ driver, x }) => { await driver.attempt(x, 1) },
    mremap: (state) => state.world.mremap(),
    reclaim: ({ world: moved }) => moved.reclaim(3),
  })
}

export const b14: Claim = {
  id: 'B14',
  title: 'An invalidation is announced for all that its step takes along: for mremap, the whole old range',
  source: 'mremap and huge pages: notifier ranges that were missing, or too small (several)',
  says: `\`mremap\` moves entries, and where it can, whole tables of them. What it announces is what leaves the old place; of the new place there is nothing to tell. If a range is announced in units of one entry, and a table is moved, a device keeps the rest at its old address. No page was freed, so it is not
wrong at once. When the page goes, by its new address, the invalidation is for that one, and the device is not told of the old: nobody will ever tell it.`,
  variants: [
    variant('right', 'all that the table covers is announced', 'pass', moving(MovingWorld)),
    variant('a', 'the first page is', 'STALE', moving(Narrow)),
  ],
}
