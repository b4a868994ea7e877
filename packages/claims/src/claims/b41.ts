import type { Interval, IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Cell, Memory } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { beside, stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** It changes translations by work requests that name the key of the region; the end of the region revokes the key. */
class KeyDriver extends Driver {
  readonly key: Memory = this.world.kernel.memory('the memory key')

  override async zap(interval: Interval): Promise<void> {
    this.key.use('the work request of an invalidation')
    await super.zap(interval)
  }

  /** No callback comes any more; then the key is revoked. */
  async deregister(x: IntervalNotifier): Promise<void> {
    await x.remove()
    this.key.free()
  }
}

/** The key is revoked under the user lock, and callbacks know of it. */
class RevokesLocked extends KeyDriver {
  readonly revoked: Cell<boolean> = this.world.kernel.cell('revoked', false)

  override async zap(interval: Interval): Promise<void> {
    if (!(await this.revoked.read())) await super.zap(interval)
  }

  override async deregister(x: IntervalNotifier): Promise<void> {
    await this.lock.lock()
    await this.revoked.write(true)
    this.key.free()
    await this.lock.unlock()
    await x.remove()
  }
}

/** The key is revoked while callbacks may come. */
class RevokesFirst extends KeyDriver {
  override async deregister(x: IntervalNotifier): Promise<void> {
    this.key.free()
    await x.remove()
  }
}

/** A region goes while its pages are taken away, twice. */
function deregistering(driver: new (world: World) => KeyDriver): Scenario<Stage<KeyDriver>> {
  return stage<KeyDriver>(
    {
      deregister: ({ driver, x }) => driver.deregister(x),
      reclaim: ({ world }) => world.reclaim(0),
      munmap: ({ world }) => world.unmap(0),
    },
    { driver: (world) => new driver(world) },
  )
}

export const b41: Claim = {
  id: 'B41',
  title: 'What a callback needs of the hardware outlives the last callback',
  source: 'RDMA/mlx5: Fix a race for an ODP MR which leads to CQE with error',
  says: `The callback of such a region takes translations away by a work request that names the region's key. When the region goes, the key is revoked; if that comes before the interval is removed, a callback in between works with a key that the hardware no longer knows, and the request
fails, and the queue with it. So the interval is removed first. Or, where the key has to go first, it goes under the user lock and leaves a mark there, so that the callbacks that still come leave the hardware alone.`,
  variants: [
    variant('right', 'the interval is removed, then the key revoked', 'pass', beside(deregistering(KeyDriver), 0, 'munmap')),
    variant('right locked', 'the key is revoked under the user lock, and callbacks look for that', 'pass', beside(deregistering(RevokesLocked), 0, 'munmap')),
    variant('a', 'the key is revoked, then the interval removed', 'UAF', deregistering(RevokesFirst)),
  ],
}
