import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { overlapping } from '../collision.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Holds the user lock from the beginning. */
class BeginUnderLock extends Driver {
  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      await this.lock.lock()
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      const retry = await notifier.readRetry(seq)
      if (!retry && frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      if (!retry) return true
    }
  }
}

class Closing extends Driver {
  /** Forgets what the device has of the interval, for which there are no faults any more, and removes it. */
  async close(notifier: IntervalNotifier): Promise<void> {
    await this.lock.with(() => this.zap(this.world.pagesOf(0)))
    await notifier.remove()
    notifier.free()
  }
}

/** Removes it under the user lock. */
class RemoveUnderLock extends Closing {
  override async close(notifier: IntervalNotifier): Promise<void> {
    await this.lock.lock()
    await this.zap(this.world.pagesOf(0))
    await notifier.remove()
    await this.lock.unlock()
    notifier.free()
  }
}

/** The file is closed while its page is moved, and while there is a fault on another interval. */
const closing = (driver: (world: World) => Closing = (world) => new Closing(world)): Scenario<Stage<Closing>> =>
  stage(
    {
      close: (state) => state.driver.close(state.x),
      device: async (state) => { await state.driver.fault(state.notifiers[1] ?? state.x, 1) },
      migration: ({ world }) => world.replace(0),
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], driver },
  )

export const c28: Claim = {
  id: 'C28',
  title: 'Nobody waits for an invalidation under a lock that its callbacks take',
  source: 'derived',
  says: `\`readBegin\` and \`remove\` wait for the end of invalidations. These cannot end before their callbacks have returned, and those take the user lock. So both are called without it. The lock validator knows the wait as a lock class of its own,
which every invalidation holds around its callbacks: it reports the order of the two with no collision needed.

The deadlock itself is rarer for \`readBegin\` than it looks. One invalidation is not enough: its number is set under the lock, so whoever sees it has the lock behind that callback. It takes a second one of the same period, whose callback waits for the
lock while the reader waits for both. \`remove\` waits for the first.`,
  variants: [
    variant('right', 'readBegin, then the lock', 'pass', overlapping()),
    variant('right remove', 'remove, then the lock', 'pass', closing()),
    variant('a', 'readBegin under the lock', 'LOCKDEP', overlapping({ driver: (world) => new BeginUnderLock(world) })),
    variant('a hangs', 'the same, and nobody checks the order of locks', 'DEADLOCK', overlapping({ driver: (world) => new BeginUnderLock(world) }), { lockdep: false }),
    variant('b', 'remove under the lock', 'LOCKDEP', closing((world) => new RemoveUnderLock(world))),
    variant('b hangs', 'the same, and nobody checks the order of locks', 'DEADLOCK', closing((world) => new RemoveUnderLock(world)), { lockdep: false }),
  ],
}
