import { Operations, type Applied, type Notifier, type Range } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { beside, stage, type Beside, type Stage } from '../scenario.ts'

/** Wakes nobody. */
class NoWake extends Operations {
  protected override async settle(ended: Applied<Notifier> | undefined): Promise<void> {
    if (ended) await this.releaseAll(ended.released)
  }
}

/** Wakes those who sleep, and makes the sequence even then. */
class WakeFirst extends NoWake {
  protected override async endPeriod(range: Range | undefined): Promise<Applied<Notifier> | undefined> {
    await this.queue.wakeAll()
    return super.endPeriod(range)
  }
}

/** Wakes whenever a range ends. */
class WakeAlways extends NoWake {
  protected override async endPeriod(range: Range | undefined): Promise<Applied<Notifier> | undefined> {
    const ended = await super.endPeriod(range)
    await this.queue.wakeAll()
    return ended
  }
}

const SLEEPERS = {
  reader: async ({ driver, x }: Stage) => { await driver.fault(x, 0) },
  removal: ({ x }: Stage) => x.remove(),
}

/** Somebody waits for an invalidation of his interval, or for another one that ends after it. */
function waiting(who: keyof typeof SLEEPERS, operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      [who]: SLEEPERS[who],
      reclaim: ({ world }) => world.reclaim(0),
      unrelated: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'clear' }, async () => undefined),
    },
    operations && { operations },
  )
}

/** The same where the reader beside looks for his interval first: that he unlocks the tree is the other end. */
function finding<S extends Stage & Beside>(scenario: Scenario<S>): Scenario<S> {
  return {
    ...scenario,
    tasks: {
      ...scenario.tasks,
      async reader({ other }) {
        const found = await other.find(0)
        if (found) await other.attempt(found, 0)
      },
    },
  }
}

export const c31: Claim = {
  id: 'C31',
  title: 'The last end of a period wakes everybody, after the sequence has changed',
  source: 'derived',
  says: `Who sleeps looks again only when he is woken. Without the wake-up, or with one that comes before the change, a reader or a removal sleeps on although what it waits for has come. To wake at ends that are not the last is a waste and no harm:
everybody looks, and sleeps again.`,
  variants: [
    variant('right', 'a reader waits for two invalidations', 'pass', waiting('reader')),
    variant('right remove', 'a removal does, and beside it a reader', 'pass', beside(waiting('removal'), 0)),
    variant('every end', 'every end wakes a reader', 'pass', waiting('reader', withOperations(WakeAlways))),
    variant('every end remove', 'every end wakes a removal, and a reader who has looked for his interval', 'pass', finding(beside(waiting('removal', withOperations(WakeAlways)), 0, 'unrelated'))),
    variant('a', 'no reader is woken', 'HANG', waiting('reader', withOperations(NoWake))),
    variant('a remove', 'no removal is woken', 'HANG', waiting('removal', withOperations(NoWake))),
    variant('b', 'a reader is woken before the sequence changes', 'HANG', waiting('reader', withOperations(WakeFirst))),
    variant('b remove', 'a removal is woken before the sequence changes', 'HANG', waiting('removal', withOperations(WakeFirst))),
  ],
}
