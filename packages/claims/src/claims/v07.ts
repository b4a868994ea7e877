import type { IntervalNotifier, IntervalNotifierOps } from '@mmu-notifier/core'
import type { Cell } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Keeps a count of its intervals under the user lock; a release takes it to count down. It removes under the tree lock, so that the release comes when that is unlocked. */
class Counting extends Driver {
  readonly intervals: Cell<number> = this.world.kernel.cell('driver.intervals', 1)

  async drop(notifier: IntervalNotifier): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await this.dropLocked(notifier)
    await tree.unlock()
  }

  protected async dropLocked(notifier: IntervalNotifier): Promise<void> {
    await this.lock.lock()
    await this.zap(notifier)
    await notifier.removeDeferred()
    await this.lock.unlock()
  }

  override async release(notifier: IntervalNotifier): Promise<void> {
    await super.release(notifier)
    await this.lock.lock()
    this.intervals.value--
    await this.lock.unlock()
  }
}

/** Removes under the user lock alone; a worker releases. */
class ByWorker extends Counting {
  override readonly ops: IntervalNotifierOps = {
    invalidate: (notifier, range, seq) => this.invalidate(notifier, range, seq),
    release: (notifier) => this.release(notifier),
    releaseInWorker: true,
  }

  override drop(notifier: IntervalNotifier): Promise<void> {
    return this.dropLocked(notifier)
  }
}

/** Removes under the user lock alone. */
class ReleasedInside extends Counting {
  override drop(notifier: IntervalNotifier): Promise<void> {
    return this.dropLocked(notifier)
  }
}

/** The same, but only in a period that its caller keeps open. */
class OnlyFrozen extends ReleasedInside {
  override async drop(notifier: IntervalNotifier): Promise<void> {
    await this.world.notifiers.invalidate({ ...this.world.rangeOf(0), event: 'clear' }, () => super.drop(notifier))
  }
}

function dropping(driver: (world: World) => Counting): Scenario<Stage<Counting>> {
  return stage<Counting>(
    {
      control: ({ driver, x }) => driver.drop(x),
      reclaim: ({ world }) => world.reclaim(0),
      async device({ driver, x }) {
        await driver.attempt(x, 0)
        await x.put()
      },
    },
    { driver, before: ({ x }) => x.get(), check: ({ world }) => { world.nothingLeft() } },
  )
}

export const v07: Claim = {
  id: 'V7',
  title: 'A release does not take a lock under which its interval is removed',
  source: 'derived',
  says: `When nothing is under way, the last \`put\` and \`removeDeferred\` call \`release\` themselves. If the caller holds the user lock and the release takes it, the task waits for itself. While something is under way the same code works: the removal is deferred, and the release comes later, in a task that does not hold the lock. So it is a
bug that shows itself in one state and not in the other.

Three ways out: the release takes no such lock; the removal is made under the tree lock, which is unlocked after the user lock, and releases then; a worker releases. (The report says LOCKDEP with the order of locks checked or not: a lock that is taken twice by one task is seen at once.)`,
  variants: [
    variant('right', 'the tree lock around the user lock: the release comes when both are given back', 'pass', dropping((world) => new Counting(world))),
    variant('right worker', 'a worker releases', 'pass', dropping((world) => new ByWorker(world))),
    variant('unseen', 'the bug, with an invalidation under way each time', 'pass', dropping((world) => new OnlyFrozen(world))),
    variant('a', 'the removal under the user lock, which the release takes', 'LOCKDEP', dropping((world) => new ReleasedInside(world))),
    variant('a unchecked', 'the same, and nobody checks the order of locks', 'LOCKDEP', dropping((world) => new ReleasedInside(world)), { lockdep: false }),
  ],
}
