import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { beside, stage, type Stage } from '../scenario.ts'
import { LockedRemove, SplitEnd } from '../split-end.ts'
import { Growing, growing } from '../update-at-once.ts'
import type { World } from '../world.ts'

/** Frees its interval when remove has returned. */
export class Removing extends Driver {
  async drop(notifier: IntervalNotifier): Promise<void> {
    await notifier.remove()
    notifier.free()
  }
}

/** Takes the removal that does not wait for one that does. */
class DoesNotWait extends Removing {
  override async drop(notifier: IntervalNotifier): Promise<void> {
    await notifier.removeDeferred()
    notifier.free()
  }
}

export function removing(driver: (world: World) => Removing, operations?: MakeOperations): Scenario<Stage<Removing>> {
  return stage<Removing>(
    {
      control: ({ driver, x }) => driver.drop(x),
      reclaim: ({ world }) => world.reclaim(0),
      other: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'clear' }, async () => undefined),
    },
    { pages: 2, intervals: [[0, 0]], driver, ...(operations && { operations }) },
  )
}

export const c13: Claim = {
  id: 'C13',
  title: 'remove stays as it is: when it returns, no callback runs, none will come, and the memory is the caller\'s',
  source: 'mail',
  says: `While something is being invalidated, \`remove\` queues the removal and waits for the end of the period, in which it is done. That end is one critical section, but it makes the sequence even before it goes through the queue. So who waits for the sequence has to look at it with
the spinlock held: without it he may see the change in the midst of that section, return and free a notifier that is just about to be taken out of the tree.

A reader in \`readBegin\` may look without the spinlock. It touches nothing that is queued, and whatever invalidates after that has to take the spinlock first, so it finds the whole tree.`,
  variants: [
    variant('right', 'remove waits for the end of the period', 'pass', beside(removing((world) => new Removing(world)), 0)),
    variant('right locked', 'the sequence changes before the queue is applied, remove looks with the spinlock held', 'pass', beside(removing((world) => new Removing(world), withOperations(LockedRemove)), 0)),
    variant('right reader', 'the same, and readBegin looks without the spinlock', 'pass', growing((world) => new Growing(world), withOperations(LockedRemove))),
    variant('a', 'remove looks without the spinlock', 'UAF', removing((world) => new Removing(world), withOperations(SplitEnd))),
    variant('b', 'the removal does not wait', 'UAF', removing((world) => new DoesNotWait(world))),
  ],
}
