import type { Operations } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations } from '../cores.ts'
import { beside, stage, type Stage } from '../scenario.ts'
import { LockedRemove, SplitEnd } from '../split-end.ts'

/** Two owners remove their intervals of a page and free them, while it is reclaimed. */
function closing(core: new (...args: ConstructorParameters<typeof Operations>) => Operations): Scenario<Stage> {
  return stage(
    {
      async owner({ x }) {
        await x.remove()
        x.free()
      },
      reclaim: ({ world }) => world.reclaim(0),
      async second({ notifiers: [, y] }) {
        await y?.remove()
        y?.free()
      },
    },
    { intervals: [[0, 0], [0, 0]], operations: withOperations(core) },
  )
}

export const b01: Claim = {
  id: 'B1',
  title: 'remove waits for more than the number of the period',
  source: 'mm/mmu_notifier.c: fix race in mmu_interval_notifier_remove()',
  says: `The bug of C16d's wrong variant, as it was: \`remove\` slept until the sequence had changed, and looked at it without the spinlock. The task that ends the period changes it before it works through the deferred list, so a remover that looked in between, not woken but just
arriving, returned; its caller freed the notifier, and the list still had it.`,
  variants: [
    variant('right', 'remove looks under the spinlock', 'pass', beside(closing(LockedRemove), 0, 'second')),
    variant('a', 'remove looks without it', 'UAF', closing(SplitEnd)),
  ],
}
