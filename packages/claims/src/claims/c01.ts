import type { IntervalNotifier } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'
import type { Scenario } from '@mmu-notifier/explore'

/** Looks its intervals up, and removes them, under the user lock. */
class Locked extends Driver {
  /** With a reference, which is taken while the tree is locked as well. */
  async lookUp(page: number): Promise<IntervalNotifier | undefined> {
    await this.lock.lock()
    const found = await this.findAndGet(page)
    await this.lock.unlock()
    return found
  }

  async done(notifier: IntervalNotifier): Promise<void> {
    await notifier.put()
  }

  /** Under one hold of the lock nobody programs between the zap and the removal. */
  async drop(notifier: IntervalNotifier): Promise<void> {
    await this.lock.lock()
    await this.zap(notifier)
    await notifier.removeDeferred()
    await this.lock.unlock()
  }
}

/** The user lock is all that it has: the tree is not locked any more when it takes the reference. */
class GetUnderLock extends Locked {
  override async lookUp(page: number): Promise<IntervalNotifier | undefined> {
    await this.lock.lock()
    const found = await this.find(page)
    await found?.get()
    await this.lock.unlock()
    return found
  }
}

/** No reference at all: the user lock was held. */
class NoReference extends Locked {
  override async lookUp(page: number): Promise<IntervalNotifier | undefined> {
    await this.lock.lock()
    const found = await this.find(page)
    await this.lock.unlock()
    return found
  }

  override async done(): Promise<void> {
    // nothing to give back
  }
}

/** find as v6 has it: what is in the tree, whether it is being removed or not. */
class FindsInTree extends Protocol<Notifier> {
  override find(ops: unknown, start: number, last: number): Notifier | undefined {
    for (let handle = this.tree.findFirst(start, last); handle >= 0; handle = this.tree.findNext(handle, start, last)) {
      if (this.entries[handle]?.ops === ops) return this.entries[handle]
    }
    return undefined
  }
}

function scenario(driver: (world: World) => Locked, operations?: MakeOperations): Scenario<Stage<Locked>> {
  return stage<Locked>(
    {
      async device({ driver }) {
        const found = await driver.lookUp(0)
        if (!found) return
        await driver.fault(found, 0)
        await driver.done(found)
      },
      control: ({ driver, x }) => driver.drop(x),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver, check: ({ world }) => { world.nothingLeft() }, ...(operations && { operations }) },
  )
}

export const c01: Claim = {
  id: 'C1',
  title: 'The driver lock puts find, insert, update and remove in order, but does not keep what find returns',
  source: 'mail',
  says: `A driver that calls find and the removal under its own lock has them one after the other. What ends the life of an interval is neither of them: it is the end of the last invalidation, on whatever CPU, and that holds no lock of the
driver. So the pointer that find has returned needs the tree lock or a reference once the driver lock is dropped, as it has to be before \`readBegin\`. When the reference is taken under the driver lock, after the tree is unlocked, everything rests on find not
returning an interval whose removal was asked for: then whoever holds the driver lock keeps others from asking. With the find of v6, which looks into the tree only, not even that helps.`,
  variants: [
    variant('right', 'a reference, taken while the tree is locked', 'pass', scenario((world) => new Locked(world))),
    variant('right lock', 'a reference, taken under the driver lock only; find skips what is being removed', 'pass', scenario((world) => new GetUnderLock(world))),
    variant('a', 'no reference: both calls were made under the driver lock', 'UAF', scenario((world) => new NoReference(world))),
    variant('b', 'a reference, taken under the driver lock only; find returns what is in the tree', 'UAF', scenario((world) => new GetUnderLock(world), withProtocol(FindsInTree))),
  ],
}
