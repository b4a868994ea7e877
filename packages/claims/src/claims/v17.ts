import { Protocol, type Applied, type Notifier } from '@mmu-notifier/core/steps'
import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'

/** Frees the notifier in its release. */
class FreeingDriver extends Driver {
  override release(notifier: IntervalNotifier): void {
    notifier.free()
  }
}

/** Every unlock, and every end, applies what is deferred. */
class AppliesInner extends Protocol<Notifier> {
  override end(): Applied<Notifier> | undefined {
    const { frozen } = this
    return super.end() ?? (frozen ? this.apply() : undefined)
  }
}

/** A task that holds the tree lock takes and gives it back again in a helper, and then looks at what it has found; the owner removes it. */
function nested(operations?: MakeOperations): Scenario<Stage<FreeingDriver>> {
  return stage<FreeingDriver>(
    {
      async device({ world, driver }) {
        const { start, last } = world.pagesOf(0)
        const tree = await world.notifiers.lockTree()
        const found = await tree.find(driver.ops, start, last)
        await (await world.notifiers.lockTree()).unlock()
        await found?.get()
        await tree.unlock()
        await found?.put()
      },
      owner: ({ x }) => x.removeDeferred(),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver: (world) => new FreeingDriver(world), ...(operations && { operations }) },
  )
}

/** The same lock in a lock, while an invalidation walks over two intervals, of which one is removed; somebody has a reference, so that it is not freed. */
function walked(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      async device({ world, x }) {
        const tree = await world.notifiers.lockTree()
        const inner = await world.notifiers.lockTree()
        await x.removeDeferred()
        await inner.unlock()
        await tree.unlock()
      },
      munmap: ({ world }) => world.unmap(0, 1),
      reader: async ({ driver, notifiers: [, y] }) => { if (y) await driver.attempt(y, 1) },
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], before: ({ x }) => x.get(), ...(operations && { operations }) },
  )
}

export const v17: Claim = {
  id: 'V17',
  title: 'The tree lock nests: only the last one out applies what is deferred',
  source: 'derived',
  says: `Whoever holds the tree lock may call somebody who takes it too. The inner unlock ends nothing: the outer holder still relies on what it has found, and invalidations still walk. So the number of holders decides, not the unlock. If the inner one applied the deferred list, the
outer holder would be left with a notifier that was freed under it, and a walk would stand on one that is no longer in the tree.`,
  variants: [
    variant('right', 'the outer holder still has what it found', 'pass', nested()),
    variant('right walk', 'a walk meanwhile is not disturbed', 'pass', walked()),
    variant('a', 'the inner unlock applies the list under the outer holder', 'UAF', nested(withProtocol(AppliesInner))),
    variant('b', 'the inner unlock applies the list under a walk', 'CORRUPT', walked(withProtocol(AppliesInner))),
  ],
}
