import type { IntervalNotifier, MmuNotifier } from '@mmu-notifier/core'
import type { Memory } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { beside, stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** A driver that can be unloaded: its callbacks and its release are code, and use its object, which goes with it. */
class Unloadable extends Driver {
  readonly memory: Memory = this.world.kernel.memory('the driver')

  async unload(notifier: IntervalNotifier): Promise<void> {
    await notifier.removeDeferred()
    await this.barrier()
    this.memory.free()
  }

  barrier(): Promise<void> {
    return this.world.notifiers.synchronize()
  }

  override async zap(...args: Parameters<Driver['zap']>): Promise<void> {
    this.memory.use('invalidate')
    await super.zap(...args)
  }

  override release(notifier: IntervalNotifier): Promise<void> | void {
    this.memory.use('release')
    return super.release(notifier)
  }
}

/** Waits for nothing. */
class NoBarrier extends Unloadable {
  override async barrier(): Promise<void> {
    // goes on
  }
}

/** Waits for the walks of classic notifiers, of which it has one. */
class SrcuBarrier extends Unloadable {
  #classic: MmuNotifier | undefined

  override async insert(first: number, last?: number): Promise<IntervalNotifier> {
    this.#classic = await this.world.notifiers.register({})
    return super.insert(first, last)
  }

  override async barrier(): Promise<void> {
    await this.#classic?.unregister()
  }
}

/** The driver is unloaded while a page of its interval is taken away, and one that it has nothing to do with. */
const unloading = (driver: (world: World) => Unloadable): Scenario<Stage<Unloadable>> =>
  stage(
    {
      unload: (state) => state.driver.unload(state.x),
      munmap: ({ world }) => world.unmap(0),
      unrelated: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'clear' }, async () => undefined),
    },
    { driver, check: ({ world }) => { world.nothingLeft() } },
  )

export const c35: Claim = {
  id: 'C35',
  title: 'Before a driver goes it waits until its releases have returned',
  source: 'derived',
  says: `An asynchronous removal promises that release comes, not when. Until then an invalidation may still call back, and whoever ends it calls release: the code and the object of a driver that has removed everything are in use. \`synchronize\` waits for
the releases of all that was removed before. The barrier of the classic notifiers looks like it and is another: it waits for their walks, which are read sections of SRCU, and intervals are not walked in one.`,
  variants: [
    variant('right', 'the interval is removed, synchronize, then the driver is freed', 'pass', beside(unloading((world) => new Unloadable(world)), 0, 'unrelated')),
    variant('a', 'it is freed at once', 'UAF', unloading((world) => new NoBarrier(world))),
    variant('b', 'it waits for the classic notifiers only', 'UAF', unloading((world) => new SrcuBarrier(world))),
  ],
}
