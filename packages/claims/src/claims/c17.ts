import type { IntervalNotifier } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Holds a reference from before the tree is unlocked until it has finished. */
class Counting extends Driver {
  async work(): Promise<void> {
    const found = await this.lookUp(0)
    if (!found) return
    await this.attempt(found, 0)
    await this.done(found)
  }

  lookUp(page: number): Promise<IntervalNotifier | undefined> {
    return this.findAndGet(page)
  }

  done(notifier: IntervalNotifier): Promise<void> {
    return notifier.put()
  }
}

/** Takes no reference. */
class Borrowing extends Counting {
  override lookUp(page: number): Promise<IntervalNotifier | undefined> {
    return this.find(page)
  }

  override async done(): Promise<void> {
    // nothing to give back
  }
}

/** Takes the reference when the tree is not locked any more. */
class GetsLate extends Counting {
  override async lookUp(page: number): Promise<IntervalNotifier | undefined> {
    const found = await this.find(page)
    await found?.get()
    return found
  }
}

function removed(driver: (world: World) => Counting): Scenario<Stage<Counting>> {
  return stage<Counting>(
    {
      device: ({ driver }) => driver.work(),
      async control({ driver, x }) {
        await driver.lock.lock()
        await driver.zap(x)
        await x.removeDeferred()
        await driver.lock.unlock()
      },
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver, check: ({ world }) => { world.nothingLeft() } },
  )
}

/** The owner gives the reference of the registration back; an invalidation walks this interval and another; somebody else looks it up. */
function given(operations?: MakeOperations): Scenario<Stage<Counting>> {
  return stage<Counting>(
    {
      async device({ driver }) {
        const found = await driver.findAndGet(0)
        await found?.put()
      },
      control: ({ x }) => x.put(),
      munmap: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(0, 1), event: 'unmap' }, () => world.clear(1)),
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], driver: (world) => new Counting(world), ...(operations && { operations }) },
  )
}

/** The last reference releases, whether or not the interval is in the tree. */
class ReleasesInTree extends Protocol<Notifier> {
  override put(entry: Notifier): Notifier[] {
    if (entry.references > 1 || entry.phase === 'dead') return super.put(entry)
    entry.references = 0
    entry.removal = 'put'
    const released: Notifier[] = []
    this.release(entry, released)
    return released
  }
}

export const c17: Claim = {
  id: 'C17',
  title: 'Who works with an interval holds a reference to it, taken while the tree is locked',
  source: 'mail',
  says: `The registration has one reference, and everybody who uses what \`find\` has returned takes another. It has to be taken before the tree is unlocked, since until then nothing that was found can be released; a step later a removal, and the unlock itself, may have done so. And the interval counts as used as long as it is in the tree:
when the last reference is given back it is queued for removal if somebody walks the tree, and released when it has left it.`,
  variants: [
    variant('right', 'find, get, unlock, use, put', 'pass', removed((world) => new Counting(world))),
    variant('right put', 'the owner gives back the first reference', 'pass', given()),
    variant('a', 'no reference', 'UAF', removed((world) => new Borrowing(world))),
    variant('b', 'a reference taken after the unlock', ['UAF', 'REFCOUNT'], removed((world) => new GetsLate(world))),
    variant('c', 'the last reference releases at once', 'UAF', given(withProtocol(ReleasesInTree))),
  ],
}
