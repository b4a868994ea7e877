import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { LeftOpen, RefusingDriver } from '../refusing-driver.ts'
import { stage, type Stage } from '../scenario.ts'

/** The reaper and a fault at the same time; when the reaper has been there, the owner removes the interval. */
function reaping(operations?: MakeOperations): Scenario<Stage<RefusingDriver>> {
  return stage<RefusingDriver>(
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
      driver: (world) => new RefusingDriver(world),
      before: async ({ world, driver }) => { await world.notifiers.register(driver.classic) },
      ...(operations && { operations }),
    },
  )
}

export const main1: Claim = {
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
}
