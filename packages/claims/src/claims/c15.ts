import type { InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import { WaitingUpdate } from '../unasserted.ts'

/** A munmap of the tail shrinks its interval, in the callback. */
class Shrinking extends Driver {
  override async cut(range: InvalidateRange): Promise<void> {
    const found = await range.tree.find(this.ops, range.start, range.end - 1)
    if (found) await range.tree.update(found, this.world.pagesOf(0))
  }
}

function scenario(operations?: MakeOperations): Scenario<Stage<Shrinking>> {
  return stage<Shrinking>(
    {
      device: async ({ driver, x }) => { await driver.attempt(x, 0) },
      munmap: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'unmap' }, () => world.clear(1)),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { pages: 2, driver: (world) => new Shrinking(world), ...(operations && { operations }) },
  )
}

export const c15: Claim = {
  id: 'C15',
  title: 'update is asynchronous only',
  source: 'mail',
  says: `The tree does not change as long as it is locked, and an update is called with the tree locked, so it can never be done when it returns; an update that waits until it is, waits for its caller. A callback would hold up its own invalidation, and with that every reader and every removal of the address space.
Who needs to know that it was applied is the reader, and \`readBegin\` waits for it.`,
  variants: [
    variant('right', 'an update is queued', 'pass', scenario()),
    variant('a', 'an update returns when it is done', 'HANG', scenario(withOperations(WaitingUpdate))),
  ],
}
