import type { Interval } from '@mmu-notifier/core'
import { Operations, Protocol, type Notifier } from '@mmu-notifier/core/steps'
import { variant, type Claim } from '../claim.ts'
import { withOperations, withProtocol, type MakeOperations } from '../cores.ts'
import { stage, type Stage } from '../scenario.ts'
import type { Scenario } from '@mmu-notifier/explore'

/** The interval has page 0 and grows over page 1, which somebody reclaims; its reader works on page 1 as soon as it may. An invalidation of another interval keeps the tree frozen meanwhile. */
export function growing(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      async device({ world, driver, x }) {
        const tree = await world.notifiers.lockTree()
        await tree.update(x, world.pagesOf(0, 1))
        await tree.unlock()
        await driver.fault(x, 1)
      },
      reclaim: ({ world }) => world.reclaim(1),
      unrelated: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(2), event: 'clear' }, async () => undefined),
    },
    { pages: 3, intervals: [[0, 0], [2, 2]], ...(operations && { operations }) },
  )
}

/** The reader's number stays as it is. */
export class SilentUpdate extends Protocol<Notifier> {
  protected override update(entry: Notifier, interval: Interval, released: Notifier[]): void {
    const seq = entry.seq.value
    super.update(entry, interval, released)
    entry.seq.value = seq
  }
}

/** An insert that is deferred is born with the number of the period before. */
class EarlyInsert extends Protocol<Notifier> {
  override insert(entry: Notifier): void {
    super.insert(entry)
    if (entry.phase === 'pending') entry.seq.value = this.seq.value - 2
  }
}

/** A reader goes on at once. */
class NoWait extends Operations {
  protected override async collisionOver(): Promise<void> {
    // goes on
  }
}

/** An insert while something runs, and a reader that uses it at once. */
export function inserting(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      async device({ driver }) {
        await driver.fault(await driver.insert(0), 0)
      },
      reclaim: ({ world }) => world.reclaim(0),
      unrelated: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'clear' }, async () => undefined),
    },
    { pages: 2, intervals: [[1, 1]], ...(operations && { operations }) },
  )
}

export const c16: Claim = {
  id: 'C16',
  title: 'readBegin makes sure that every delayed operation on its interval is complete',
  source: 'mail',
  says: `An update, an insert or a batch that is deferred gives its notifier the number of the period. So \`readBegin\` waits for the end of the period, in which the operation is applied; or the period is over. What it does not promise: that other
notifiers have left the tree, or that a release has run. Without it a reader would use the pages that its interval is about to gain, of which no callback tells it yet.`,
  variants: [
    variant('right', 'an update makes its reader wait until it is applied', 'pass', growing()),
    variant('right insert', 'so does an insert', 'pass', inserting()),
    variant('a', 'an update leaves the reader as it was (v6 as posted: V3a)', 'STALE', growing(withProtocol(SilentUpdate))),
    variant('b', 'a deferred insert is born with an old number', 'STALE', inserting(withProtocol(EarlyInsert))),
    variant('c', 'readBegin returns at once, and leaves it to readRetry', 'STALE', growing(withOperations(NoWait))),
  ],
}
