import type { IntervalNotifier } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Cell } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

class Removing extends Driver {
  /** Removes the interval, and forgets what the device has of it before that leaves the tree: then nobody would be told of its changes. */
  async remove(notifier: IntervalNotifier): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await notifier.removeDeferred()
    await this.lock.lock()
    await this.mark()
    await this.zap(this.world.pagesOf(0))
    await this.lock.unlock()
    await tree.unlock()
  }

  async mark(): Promise<void> {
    // the core does
  }
}

/** Does not lock the tree: nothing keeps the interval in it. */
class Unlocked extends Removing {
  override async remove(notifier: IntervalNotifier): Promise<void> {
    await notifier.removeDeferred()
    await this.lock.with(() => this.zap(this.world.pagesOf(0)))
  }
}

/** Marks what is dying, where it unmaps it, and asks for the mark where it asks readRetry. */
class Marking extends Removing {
  readonly dead: Cell<boolean> = this.world.kernel.cell('driver.dead', false)

  override mark(): Promise<void> {
    return this.dead.write(true)
  }

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      await this.lock.lock()
      const dead = await this.dead.read()
      const retry = await notifier.readRetry(seq)
      if (!dead && !retry && frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      if (dead || !retry) return !dead
    }
  }
}

/** What is removed keeps its number. */
class NoBump extends Protocol<Notifier> {
  protected override retire(entry: Notifier, released: Notifier[]): void {
    const seq = entry.seq.value
    super.retire(entry, released)
    entry.seq.value = seq
  }
}

/** It gets a new one, as if an invalidation had hit it. */
class Bump extends Protocol<Notifier> {
  protected override retire(entry: Notifier, released: Notifier[]): void {
    super.retire(entry, released)
    entry.seq.value = this.frozen ? this.seq.value : this.before(this.seq.value)
  }
}

/** A reader who holds the notifier works on its page while it is removed and the page reclaimed. */
function holding(driver: (world: World) => Removing, operations?: MakeOperations): Scenario<Stage<Removing>> {
  return stage(
    {
      device: async (state) => { await state.driver.fault(state.x, 0) },
      owner: (state) => state.driver.remove(state.x),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver, before: ({ x }) => x.get(), ...(operations && { operations }) },
  )
}

export const c41: Claim = {
  id: 'C41',
  title: 'For the reader of an interval that was removed readRetry is true for ever',
  source: 'derived',
  says: `A reader that holds a notifier goes on when it is removed, and its pages go on changing; only nobody calls back any more. If its number stays as it was, \`readRetry\` finds that nothing has happened. A new number catches those who have begun, and no
others: whoever calls \`readBegin\` afterwards gets the new one, which stays.

So it is a state and not an event. The core makes it a number that is never given back. A driver of a core that does not can do the same with a mark of his own, written where he unmaps what he removes, and read where he asks \`readRetry\`: then no
number is needed.

All of this is for readers. What the device maps already has to go before the interval leaves the tree, so the tree is locked from the removal until it is unmapped; in a callback it is.`,
  variants: [
    variant('right', 'the core makes readRetry true for ever', 'pass', holding((world) => new Removing(world))),
    variant('dying only', 'the number stays; the driver has a mark', 'pass', holding((world) => new Marking(world), withProtocol(NoBump))),
    variant('both', 'a new number, and a mark', 'pass', holding((world) => new Marking(world), withProtocol(Bump))),
    variant('no bump', 'the number stays', 'STALE', holding((world) => new Removing(world), withProtocol(NoBump))),
    variant('bump only', 'a new number', 'STALE', holding((world) => new Removing(world), withProtocol(Bump))),
    variant('unlocked', 'the core makes readRetry true for ever; the interval leaves the tree before it is unmapped', 'STALE', holding((world) => new Unlocked(world))),
  ],
}
