import { Operations, type Applied, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { stage, type Stage } from '../scenario.ts'

/** A core whose wait queue lies in the subscriptions, as in Linux: to wake is to use them. */
class Embedded extends Operations {
  protected override async settle(ended: Applied<Notifier> | undefined): Promise<void> {
    if (!ended) return
    await this.wake()
    await this.releaseAll(ended.released)
  }

  protected async wake(): Promise<void> {
    this.memory.use('wakeAll')
    await this.queue.wakeAll()
  }
}

/** The releases first, each with its hold of the address space. */
class WakesLast extends Embedded {
  protected override async settle(ended: Applied<Notifier> | undefined): Promise<void> {
    if (!ended) return
    await this.releaseAll(ended.released)
    await this.wake()
  }
}

/** The driver removes its interval, which may be what holds the address space. */
async function removeLocked({ world, x }: Stage): Promise<void> {
  const tree = await world.notifiers.lockTree()
  await x.removeDeferred()
  await tree.unlock()
}

/** The process exits, while a driver removes its interval, which is what holds the address space for it; a visitor with a hold of his own looks for it. */
function closing(operations: MakeOperations): Scenario<Stage> {
  return stage(
    {
      exit: ({ world }) => world.mm.mmput(),
      close: removeLocked,
      async visitor({ world, driver }) {
        const { start, last } = world.pagesOf(0)
        const tree = await world.notifiers.lockTree()
        await tree.find(driver.ops, start, last)
        await tree.unlock()
        await world.mm.mmdrop()
      },
    },
    { before: ({ world }) => world.mm.mmgrab(), check: ({ world }) => { world.nothingLeft() }, operations },
  )
}

async function faultAndPut({ world: { mm }, driver, x }: Stage): Promise<void> {
  if (await mm.mmget()) {
    await driver.attempt(x, 0)
    await mm.mmput()
  }
  await x.put()
}

/** The same where another task has the last reference, and gives it back at any moment. @param held the driver holds the address space itself */
function counted(held: boolean): Scenario<Stage> {
  return stage(
    {
      exit: ({ world }) => world.mm.mmput(),
      async close(stage) {
        await removeLocked(stage)
        if (held) await stage.world.mm.mmdrop()
      },
      ...(held ? { device: faultAndPut } : { user: ({ x }) => x.put() }),
    },
    {
      async before({ world, x }) {
        await x.get()
        if (held) await world.mm.mmgrab()
      },
      check: ({ world }) => { world.nothingLeft() },
      operations: withOperations(Embedded),
    },
  )
}

export const v05: Claim = {
  id: 'V5',
  title: 'The end of a period wakes the waiters before it releases',
  source: 'derived',
  says: `Each registration holds the address space, and a release gives that back: it may be the last hold, when the process has gone and only the driver is left. The wait queue lies in what goes with the address space. So who ends a period wakes first and releases after that, and touches nothing when he has released. The posted version
released first (a), and woke on memory that was freed.

That order is enough where the one who ends the period releases as well. If somebody else has the last reference, he may give it back, and the address space with it, between the end of the period and the wake (b). So who locks the tree holds the address space himself, by being one of its users, or by \`mmgrab\` as a file does that outlives the process. A core
could take that hold itself, at each end of a period; this one leaves it to the caller.`,
  variants: [
    variant('right', 'the waiters are woken, then the releases are called', 'pass', closing(withOperations(Embedded))),
    variant('right hold', 'another has the last reference, and the driver holds the address space', 'pass', counted(true)),
    variant('a', 'the releases first', 'UAF', closing(withOperations(WakesLast))),
    variant('b', 'another has the last reference, and nobody holds the address space', 'UAF', counted(false)),
  ],
}
