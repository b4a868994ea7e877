import type { Interval } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Cell } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Its user learns of invalid buffers by a mark, for which it looks now and then. The callback has taken them from the hardware by then. */
class MarkingDriver extends Driver {
  readonly invalid: Cell<boolean> = this.world.kernel.cell('invalid', false)

  override async zap(interval: Interval): Promise<void> {
    await this.invalid.write(true)
    await super.zap(interval)
  }

  /** The user looks, and gives an invalid buffer back. */
  async poll(): Promise<void> {
    await this.lock.lock()
    if (await this.invalid.read()) {
      await super.zap(this.world.pagesOf(0))
      await this.invalid.write(false)
    }
    await this.lock.unlock()
  }
}

/** The callback leaves it to the user. */
class OnlyMarks extends MarkingDriver {
  override zap(): Promise<void> {
    return this.invalid.write(true)
  }
}

/** A device uses a page and its user polls, while the page is reclaimed. */
function polling(driver: new (world: World) => MarkingDriver): Scenario<Stage<MarkingDriver>> {
  return stage<MarkingDriver>(
    {
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      user: ({ driver }) => driver.poll(),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver: (world) => new driver(world) },
  )
}

export const b44: Claim = {
  id: 'B44',
  title: 'When a callback returns the hardware has lost the page',
  source: 'IB/hfi1: Immediately remove invalid memory from hardware',
  says: `A mark that says "this buffer is invalid" does not keep the hardware from using it. When the callback returns, the page is taken away and given to somebody else; that the owner of the buffer will look at the mark soon does not matter. So the callback itself takes the page from the
hardware; the mark is for the user, who has to know.`,
  variants: [
    variant('right', 'the callback clears the device entry, and marks', 'pass', polling(MarkingDriver)),
    variant('a', 'it only marks', 'STALE', polling(OnlyMarks)),
  ],
}
