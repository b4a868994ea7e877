import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { hole, HoleDriver } from '../hole.ts'
import { stage, type Stage } from '../scenario.ts'

/** The tree changes at once, whether or not somebody walks it. */
class AtOnce extends Protocol<Notifier> {
  protected override retire(entry: Notifier, released: Notifier[]): void {
    if (entry.removal !== 'sync') this.leaving.add(entry)
    this.leave(entry, released)
    entry.seq.value = -1
  }

  override insert(entry: Notifier): void {
    if (this.active === 0) {
      super.insert(entry)
      return
    }
    this.freeze()
    this.enter(entry)
    entry.seq.value = this.seq.value
  }
}

/** An invalidation walks two intervals, and the first one is removed by somebody else. */
function walked(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      async control({ driver, x }) {
        await driver.lock.lock()
        await driver.zap(x)
        await x.removeDeferred()
        await driver.lock.unlock()
      },
      munmap: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(0, 1), event: 'unmap' }, () => world.clear(1)),
      device: async ({ driver, notifiers: [, y] }) => { if (y) await driver.attempt(y, 1) },
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], ...(operations && { operations }) },
  )
}

export const c09: Claim = {
  id: 'C9',
  title: 'A change of the tree while something is being invalidated is deferred, and queued with the spinlock held',
  source: 'mail',
  says: `An invalidation calls its intervals without the spinlock, because they may sleep, and goes on to the next one from where it stands. What keeps that place is that the tree does not change from the step that made the sequence odd to the one that makes it even. So a
removal, an insert or a batch is queued in that time, whoever asks for it, and the end of the last invalidation applies the queue. A callback that changes the tree at once takes away the node that its own walk stands on; a thread that does so takes it away from others.`,
  variants: [
    variant('right', 'a callback replaces its interval by a batch', 'pass', hole((world) => new HoleDriver(world))),
    variant('right other', 'a thread removes an interval', 'pass', walked()),
    variant('a', 'what a callback asks for is done at once', ['CORRUPT', 'UAF'], hole((world) => new HoleDriver(world), { operations: withProtocol(AtOnce) })),
    variant('b', 'what a thread asks for is done at once', ['CORRUPT', 'UAF'], walked(withProtocol(AtOnce))),
  ],
}
