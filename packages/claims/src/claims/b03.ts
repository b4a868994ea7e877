import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { LeftOpen, RefusingDriver } from '../refusing-driver.ts'
import { stage, type Stage } from '../scenario.ts'

async function faultsAfter({ driver, x }: Stage<RefusingDriver>): Promise<void> {
  await driver.reaped.wait()
  await driver.fault(x, 0)
}

/** The reaper, and two faults that come after it. */
function reaped(operations?: MakeOperations): Scenario<Stage<RefusingDriver>> {
  return stage<RefusingDriver>(
    {
      reaper: ({ driver }) => driver.reap(0),
      device: faultsAfter,
      device2: faultsAfter,
    },
    {
      driver: (world) => new RefusingDriver(world),
      before: async ({ world, driver }) => { await world.notifiers.register(driver.classic) },
      ...(operations && { operations }),
    },
  )
}

export const b03: Claim = {
  id: 'B3',
  title: 'MAIN-1 as small as it gets: the next fault sleeps for ever',
  source: 'derived',
  says: `See MAIN-1. Two tasks are enough, and no race between them: the reaper is refused by the classic notifier after the interval's callback has set the sequence of the interval; the next fault on it waits for the end of a period that has no end. As MAIN-1 it is a finding of
this model.`,
  variants: [
    variant('right', 'the refused start ends the range for the intervals', 'pass', reaped()),
    variant('a', 'it does not', 'HANG', reaped(withOperations(LeftOpen))),
  ],
}
