import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import { Unasserted } from '../unasserted.ts'
import type { World } from '../world.ts'

/** A device fault on page 1, which its interval is to gain; and a removal of another interval. */
class Finding extends Driver {
  async work(): Promise<void> {
    const { start, last } = this.world.pagesOf(0)
    const tree = await this.world.notifiers.lockTree()
    const found = await tree.find(this.ops, start, last)
    if (found) await tree.update(found, this.world.pagesOf(0, 1))
    await found?.get()
    await tree.unlock()
    if (!found) return
    await this.attempt(found, 1)
    await found.put()
  }

  async drop(notifier: IntervalNotifier): Promise<void> {
    await notifier.remove()
  }
}

/** Never unlocks. */
class NeverUnlocks extends Finding {
  override async work(): Promise<void> {
    const { start, last } = this.world.pagesOf(0)
    const tree = await this.world.notifiers.lockTree()
    await tree.find(this.ops, start, last)
  }
}

/** Reads before it unlocks. */
class ReadsLocked extends Finding {
  override async work(): Promise<void> {
    const { start, last } = this.world.pagesOf(0)
    const tree = await this.world.notifiers.lockTree()
    const found = await tree.find(this.ops, start, last)
    if (found) {
      await tree.update(found, this.world.pagesOf(0, 1))
      await this.attempt(found, 1)
    }
    await tree.unlock()
  }
}

/** Removes, and waits for that, before it unlocks. */
class RemovesLocked extends Finding {
  override async drop(notifier: IntervalNotifier): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await notifier.remove()
    await tree.unlock()
  }
}

function scenario(driver: (world: World) => Finding, operations?: MakeOperations): Scenario<Stage<Finding>> {
  return stage<Finding>(
    {
      device: ({ driver }) => driver.work(),
      control: async ({ driver, notifiers: [, y] }) => { if (y) await driver.drop(y) },
      reclaim: ({ world }) => world.reclaim(1),
    },
    { pages: 3, intervals: [[0, 0], [2, 2]], driver, ...(operations && { operations }) },
  )
}

export const c18: Claim = {
  id: 'C18',
  title: 'find takes place with the tree locked for read; who has a reference, or has finished, unlocks it',
  source: 'mail',
  says: `The lock blocks nobody, but the tree stays as it is as long as it is held: removals wait for its end, releases and updates come after it, and so do the readers of what was updated or inserted. So it must be given back, and nobody may wait for any of those while he holds it. A fault handler that finds its interval takes
a reference, unlocks, and calls \`readBegin\` then. Waiting under the lock is reported in every run; without that report it is a task that waits for itself.`,
  variants: [
    variant('right', 'lock, find, get, unlock; then read', 'pass', scenario((world) => new Finding(world))),
    variant('a', 'it never unlocks', ['HANG', 'LEAK'], scenario((world) => new NeverUnlocks(world))),
    variant('b', 'it reads before it unlocks', 'LOCKDEP', scenario((world) => new ReadsLocked(world))),
    variant('b hang', 'the same, in a core that does not assert anything', 'HANG', scenario((world) => new ReadsLocked(world), withOperations(Unasserted))),
    variant('c', 'it removes before it unlocks', 'LOCKDEP', scenario((world) => new RemovesLocked(world))),
    variant('c hang', 'the same, in a core that does not assert anything', 'HANG', scenario((world) => new RemovesLocked(world), withOperations(Unasserted))),
  ],
}
