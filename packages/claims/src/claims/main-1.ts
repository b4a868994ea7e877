import type { InvalidateRange } from '@mmu-notifier/core'
import { Operations } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { defineClaim, variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Beside its interval it has a notifier of the whole address space, which does nothing where nobody may wait; as nouveau's. */
class BothDriver extends Driver {
  readonly classic: { invalidateRangeStart(range: InvalidateRange): Promise<boolean> } = {
    invalidateRangeStart: async ({ blockable }) => blockable,
  }
  /** The OOM reaper has been there. */
  readonly reaped = this.world.kernel.completion('reaped')

  /** The OOM reaper: what is refused stays as it is. */
  async reap(page: number): Promise<void> {
    const { notifiers } = this.world
    const range = await notifiers.invalidateRangeStartNonblock({ ...this.world.rangeOf(page), event: 'clear' })
    if (range !== 'EAGAIN') {
      await this.world.clear(page)
      await notifiers.invalidateRangeEnd(range)
    }
    await this.reaped.completeAll()
  }
}

/** The reaper and a fault at the same time; when the reaper has been there, the owner removes the interval. */
function reaping(operations?: MakeOperations): Scenario<Stage<BothDriver>> {
  return stage<BothDriver>(
    {
      reaper: ({ driver }) => driver.reap(0),
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      async owner({ driver, x }) {
        await driver.reaped.wait()
        await x.remove()
      },
    },
    {
      driver: (world: World) => new BothDriver(world),
      before: async ({ world, driver }) => { await world.notifiers.register(driver.classic) },
      ...(operations && { operations }),
    },
  )
}

/** Who is refused by a classic notifier leaves the intervals' part of the range open. */
class LeftOpen extends Operations {
  protected override async refusedByClassic(): Promise<void> {
    // nothing
  }
}

export const main1: Claim = defineClaim({
  id: 'MAIN-1',
  title: 'A range that a classic notifier refuses has to be ended for the intervals too',
  source: 'derived',
  says: `A start that must not wait asks the intervals first and the classic notifiers after them. When a classic one refuses, the caller gets EAGAIN and will not call the end. So the start itself has to undo what it has done for the intervals: their number of open ranges, and
the sequence that it made odd. If it does not, no later invalidation is the last one: the sequence stays odd for ever, nothing that is deferred is ever applied, and whoever waits, in \`readBegin\` of an interval that was hit or in \`remove\`, sleeps for good. It needs one address
space with an interval and with a classic notifier that refuses, and an OOM reaper.

This is a finding of this model, derived from reading: as the specification has it, the interval part is not undone. Whether a released kernel can be brought to it is to be confirmed; it is not claimed here as a fact about one.`,
  variants: [
    variant('right', 'the start that is refused ends the range for the intervals', 'pass', reaping()),
    variant('a', 'it does not', 'HANG', reaping(withOperations(LeftOpen))),
  ],
})
