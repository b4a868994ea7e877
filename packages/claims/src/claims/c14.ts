import type { IntervalNotifier, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import { WaitingRemoval } from '../unasserted.ts'
import type { World } from '../world.ts'

/** A munmap of its interval removes it, in the callback. */
class Removing extends Driver {
  override async cut(range: InvalidateRange): Promise<void> {
    const found = await range.tree.find(this.ops, range.start, range.end - 1)
    if (found) await this.removal(found)
  }

  removal(notifier: IntervalNotifier): Promise<void> {
    return notifier.removeDeferred()
  }

  /** By a thread: unmapped and removed under one hold of the lock. */
  async drop(notifier: IntervalNotifier): Promise<void> {
    await this.lock.lock()
    await this.zap(notifier)
    await notifier.removeDeferred()
    await this.lock.unlock()
  }
}

/** Removes it by the removal that waits. */
class Synchronous extends Removing {
  override removal(notifier: IntervalNotifier): Promise<void> {
    return notifier.remove()
  }
}

/** Unmaps what it has removed: nobody tells it of changes in between. */
class ZapsLate extends Removing {
  override async drop(notifier: IntervalNotifier): Promise<void> {
    await this.lock.lock()
    await notifier.removeDeferred()
    await this.zap(notifier)
    await this.lock.unlock()
  }
}

/** A callback removes the interval that a fault handler works on. */
function unmapped(driver: (world: World) => Removing, operations?: MakeOperations): Scenario<Stage<Removing>> {
  return stage<Removing>(
    {
      async device({ driver, x }) {
        await driver.attempt(x, 0)
        await x.put()
      },
      munmap: ({ world }) => world.unmap(0),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver, before: ({ x }) => x.get(), ...(operations && { operations }), check: ({ world }) => { world.nothingLeft() } },
  )
}

/** A thread removes the interval of a page that the device uses, and that is reclaimed. */
function dropped(driver: (world: World) => Removing): Scenario<Stage<Removing>> {
  return stage<Removing>(
    {
      control: ({ driver, x }) => driver.drop(x),
      reclaim: ({ world }) => world.reclaim(0),
      device: async ({ driver, x }) => { await driver.attempt(x, 0) },
    },
    {
      driver,
      async before({ driver, x }) {
        await driver.fault(x, 0)
        await x.get()
      },
    },
  )
}

export const c14: Claim = {
  id: 'C14',
  title: 'The removal for callbacks does not wait: it is queued, and a release follows',
  source: 'mail',
  says: `A callback of munmap may find that nothing is left of its interval. It cannot wait for the end of the period, since the period cannot end before it returns; so \`removeDeferred\` makes the notifier dying, queues it and returns, and \`release\` comes when it has left the tree and the last reference is gone. The one that waits,
\`remove\`, is refused in a callback.

For a thread, this is also what makes the order of two steps matter. When nothing runs, the interval leaves the tree in the call itself. What the device maps has to be unmapped before, under the same hold of the user lock, or a page is reclaimed in between and nobody is told. (Other readers program
nothing then: they come to the lock after that, and retry for ever.)`,
  variants: [
    variant('right', 'a callback removes its interval', 'pass', unmapped((world) => new Removing(world))),
    variant('right thread', 'a thread does, after it has unmapped it', 'pass', dropped((world) => new Removing(world))),
    variant('a', 'the removal returns when it is done', 'HANG', unmapped((world) => new Removing(world), withOperations(WaitingRemoval))),
    variant('b', 'a callback uses the one that waits', 'LOCKDEP', unmapped((world) => new Synchronous(world))),
    variant('c', 'a thread removes it, and then unmaps it', 'STALE', dropped((world) => new ZapsLate(world))),
  ],
}
