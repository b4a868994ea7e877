import type { Operations } from '@mmu-notifier/core/steps'
import { variant, type Claim } from '../claim.ts'
import { withOperations } from '../cores.ts'
import { ending, OwnedDriver } from '../owned-driver.ts'
import { stage } from '../scenario.ts'
import { LockedRemove, SplitEnd } from '../split-end.ts'

/** synchronize waits for the end of the period under way, and looks at the sequence without the spinlock. */
class LockFree extends SplitEnd {
  override async synchronize(): Promise<void> {
    const period = await this.lock.section(() => (this.protocol.frozen ? this.sequence.value : undefined))
    if (period !== undefined) await this.periodOver(period)
  }
}

/** synchronize waits for the end of the period under way: with the spinlock, so that the list has been applied. */
class PeriodOnly extends LockedRemove {
  override async synchronize(): Promise<void> {
    const period = await this.lock.section(() => (this.protocol.frozen ? this.sequence.value : undefined))
    if (period !== undefined) await this.periodOver(period)
  }
}

const on = (core: new (...args: ConstructorParameters<typeof Operations>) => Operations) => ending(OwnedDriver, { operations: withOperations(core) })

export const v16: Claim = {
  id: 'V16',
  title: 'synchronize waits for the releases, not for the period',
  source: 'derived',
  says: `The posted \`synchronize\` slept until the sequence had changed. That is too early in two ways. Who looks without the spinlock may see the new number before the deferred list is applied, as in C16d. Who takes the spinlock sees the list applied, but the releases
are called after the section: they have not run yet. So it has to know what is to be released, and wait until that is done. Where there was never an interval it has nothing to wait for, and returns at once.`,
  variants: [
    variant('right', 'it waits for the releases', 'pass', on(SplitEnd)),
    variant('right none', 'it returns where nothing was ever registered, while somebody looks for an interval', 'pass', stage(
      {
        control: ({ world }) => world.notifiers.synchronize(),
        visitor: async ({ driver }) => { await driver.find(0) },
        reclaim: ({ world }) => world.reclaim(0),
      },
      { intervals: [] },
    )),
    variant('a', 'it waits for the period, lock-free', 'UAF', on(LockFree)),
    variant('b', 'it waits for the period, under the spinlock', 'UAF', on(PeriodOnly)),
  ],
}
