import type { Operations } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations } from '../cores.ts'
import { inserting } from './c16.ts'
import { stage, type Stage } from '../scenario.ts'
import { LockedRemove, SplitEnd } from '../split-end.ts'

/** What {@link withOperations} takes. */
type Core = new (...args: ConstructorParameters<typeof Operations>) => Operations

/** The tree is frozen by an invalidation of another interval, while ours grows over page 1, which somebody reclaims. */
function growing(core: Core): Scenario<Stage> {
  return stage(
    {
      async device({ world, driver, x }) {
        const tree = await world.notifiers.lockTree()
        await tree.update(x, world.pagesOf(0, 1))
        await tree.unlock()
        await driver.fault(x, 1)
      },
      reclaim: ({ world }) => world.reclaim(1),
      device2: async ({ driver, x }) => { await driver.attempt(x, 0) },
    },
    { pages: 2, intervals: [[0, 0]], operations: withOperations(core) },
  )
}

/** The owner removes an interval and frees it; an invalidation of it may be under way, and a reader of another interval. */
function removing(core: Core): Scenario<Stage> {
  return stage(
    {
      async owner({ x }) {
        await x.remove()
        x.free()
      },
      reclaim: ({ world }) => world.reclaim(0),
      async device({ driver, notifiers: [, y] }) {
        if (y) await driver.fault(y, 0)
      },
    },
    { intervals: [[0, 0], [0, 0]], operations: withOperations(core) },
  )
}

export const c16d: Claim = {
  id: 'C16d',
  title: 'A reader may look at the sequence without the lock, a remover may not',
  source: 'derived',
  says: `The end of a period is one section, but only for those who take the spinlock: it makes the sequence even first, and applies the deferred list after that. So here it is taken apart, into lock, sequence, list and unlock. A reader who looks without the lock may go on while
the list is still being applied. That is harmless: he touches nothing of the list, and whoever could take away what he reads has to start an invalidation, which needs the spinlock and so finds the whole tree. It holds for inserts and for updates.

A remover who goes on as early frees the notifier while the end of the period is about to take it out of the tree. He has to look under the spinlock. (Elsewhere in these claims that section is one step, and the difference does not arise.)`,
  variants: [
    variant('right', 'a reader waits lock-free until an update is applied', 'pass', growing(SplitEnd)),
    variant('right insert', 'a reader waits lock-free until an insert is applied', 'pass', inserting(withOperations(SplitEnd))),
    variant('right remove', 'a remover looks at the sequence under the spinlock', 'pass', removing(LockedRemove)),
    variant('a', 'a remover looks without it', 'UAF', removing(SplitEnd)),
  ],
}
