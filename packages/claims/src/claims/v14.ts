import type { MmuNotifier } from '@mmu-notifier/core'
import { variant, type Claim } from '../claim.ts'
import { ending, OwnedDriver, type Ending } from '../owned-driver.ts'

/** It has a classic notifier too, which hears of nothing. */
class BothDriver extends OwnedDriver {
  /** Written before there are tasks. */
  classic: MmuNotifier | undefined

  override async init(): Promise<void> {
    await super.init()
    this.classic = await this.world.notifiers.register({})
  }

  protected override async drain(): Promise<void> {
    await this.classic?.unregister()
    await super.drain()
  }
}

/** It waits for SRCU only, as the users of classic notifiers do. */
class OtherBarrier extends BothDriver {
  protected override async drain(): Promise<void> {
    await this.classic?.unregister()
  }
}

/** The reader's half of the protocol, as the other half is long enough. */
async function looks({ y }: Ending): Promise<void> {
  await y.readRetry(await y.readBegin())
}

export const v14: Claim = {
  id: 'V14',
  title: 'The barrier of classic notifiers is none for intervals',
  source: 'derived',
  says: `Classic notifiers are walked under SRCU, so who waits for SRCU has waited for their callbacks. The walk over intervals holds no SRCU: the odd sequence keeps it safe. So waiting for SRCU says nothing about a callback of an interval, a deferred removal or a release: the
posted self test freed its driver behind that barrier.`,
  variants: [
    variant('right', 'the driver waits with synchronize', 'pass', ending(BothDriver, { device: looks })),
    variant('a', 'it waits for SRCU', 'UAF', ending(OtherBarrier, { device: looks })),
  ],
}
