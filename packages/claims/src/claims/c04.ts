import type { IntervalNotifier } from '@mmu-notifier/core'
import { Operations, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { DataDriver } from '../data-driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Release frees what hangs on the interval. */
class Removing extends DataDriver {
  async drop(notifier: IntervalNotifier): Promise<void> {
    await this.lock.lock()
    await this.zap(notifier)
    await notifier.removeDeferred()
    await this.lock.unlock()
  }

  override release(notifier: IntervalNotifier): void {
    void super.release(notifier)
    this.data.free()
  }
}

/** Frees what it hangs on the interval as soon as the call has returned. */
class FreesData extends Removing {
  override async drop(notifier: IntervalNotifier): Promise<void> {
    await super.drop(notifier)
    this.data.free()
  }

  override release(): void {
    // was freed
  }
}

/** Frees the notifier itself as soon as the call has returned. */
class FreesNotifier extends Removing {
  override async drop(notifier: IntervalNotifier): Promise<void> {
    await super.drop(notifier)
    notifier.free()
  }
}

/** A core without a release callback: whose the memory is, is the owner's affair alone. */
class WithoutRelease extends Operations {
  protected override async releaseOne(notifier: Notifier): Promise<void> {
    this.outstanding--
    await this.released(notifier)
  }
}

function scenario(driver: (world: World) => Removing, operations?: MakeOperations): Scenario<Stage<Removing>> {
  return stage<Removing>(
    {
      control: ({ driver, x }) => driver.drop(x),
      munmap: ({ world }) => world.unmap(0),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { driver, before: async ({ driver, x }) => { await driver.fault(x, 0) }, check: ({ world }) => { world.nothingLeft() }, ...(operations && { operations }) },
  )
}

/** A device fault of somebody with a reference, who gives it back then and reclaims, while the interval is removed and its page taken away. */
function reading(driver: (world: World) => Removing): Scenario<Stage<Removing>> {
  return stage<Removing>(
    {
      control: ({ driver, x }) => driver.drop(x),
      munmap: ({ world }) => world.unmap(0),
      async device({ world, driver, x }) {
        await driver.attempt(x, 0)
        await x.put()
        await world.reclaim(0)
      },
    },
    { driver, before: ({ x }) => x.get(), check: ({ world }) => { world.nothingLeft() } },
  )
}

async function readsOther({ driver, notifiers: [, y] }: Stage<Removing>): Promise<void> {
  if (y) await driver.fault(y, 1)
}

/** The same where no invalidation runs; two readers work on another interval. */
function idle(driver: (world: World) => Removing, operations?: MakeOperations): Scenario<Stage<Removing>> {
  return stage<Removing>(
    {
      control: ({ driver, x }) => driver.drop(x),
      device: readsOther,
      device2: readsOther,
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], driver, before: async ({ driver, x }) => { await driver.fault(x, 0) }, ...(operations && { operations }) },
  )
}

export const c04: Claim = {
  id: 'C4',
  title: 'Without a release callback nobody knows when an interval that was removed asynchronously may be freed',
  source: 'mail',
  says: `\`removeDeferred\` returns at once, while an invalidation may be walking the tree: it is called for the interval still, reads the place where the walk goes on from it, and takes it out of the tree at the end of the period. So neither the
notifier nor what hangs on it may be freed before \`release\`, which comes after all of that. When nothing is being invalidated the removal is immediate and a driver that frees on return gets away with it, which is why tests do not find it: they have to remove while something runs.`,
  variants: [
    variant('right', 'release frees; a reader has a reference, and two invalidations overlap', 'pass', reading((world) => new Removing(world))),
    variant('unseen', 'what hangs on it is freed on return, and nothing is being invalidated', 'pass', idle((world) => new FreesData(world))),
    variant('unseen notifier', 'the notifier is freed on return, and nothing is being invalidated', 'pass', idle((world) => new FreesNotifier(world), withOperations(WithoutRelease))),
    variant('a', 'what hangs on it is freed on return', 'UAF', scenario((world) => new FreesData(world))),
    variant('b', 'the notifier is freed on return', 'UAF', scenario((world) => new FreesNotifier(world), withOperations(WithoutRelease))),
  ],
}
