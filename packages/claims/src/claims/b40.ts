import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Cell, Memory, Srcu, WorkQueue } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** It has a region for each part of the address space that a device uses, and destroys it when the last page of it is gone: one invalidation takes it off the table, and a worker does the rest. */
class ImplicitDriver extends Driver {
  readonly worker: WorkQueue = this.world.kernel.workQueue('odp_unbound')
  readonly srcu: Srcu = this.world.kernel.srcu('odp_srcu')
  readonly region: Memory = this.world.kernel.memory('the region')
  /** The table of regions: one. */
  readonly child: Cell<IntervalNotifier | undefined> = this.world.kernel.cell<IntervalNotifier | undefined>('child', undefined)

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const done = await super.invalidate(notifier, range, seq)
    const empty = (await this.world.deviceEntry(0).read()) === 0
    if (empty && (await this.take(notifier))) await this.worker.queue(() => this.destroy(notifier))
    return done
  }

  /** Takes the region off the table. @returns whether it was on it */
  protected async take(child: IntervalNotifier): Promise<boolean> {
    return (await this.child.compareExchange(child, undefined)) === child
  }

  async destroy(child: IntervalNotifier): Promise<void> {
    this.region.use('destroy')
    await this.srcu.synchronize()
    await child.remove()
    this.region.free()
  }

  /** A device looks at the region that the table has. */
  async access(): Promise<void> {
    const section = await this.srcu.readLock()
    if (await this.child.read()) this.region.use('fault')
    await this.srcu.readUnlock(section)
  }
}

/** Whoever finds the region empty takes it off the table, and sends for the worker. */
class NoWinner extends ImplicitDriver {
  protected override async take(): Promise<boolean> {
    await this.child.write(undefined)
    return true
  }
}

/** Two invalidations of the last page, and a device that looks at the region. */
function invalidating(driver: new (world: World) => ImplicitDriver): Scenario<Stage<ImplicitDriver>> {
  return stage<ImplicitDriver>(
    {
      reclaim: ({ world }) => world.reclaim(0),
      munmap: ({ world }) => world.unmap(0),
      device: ({ driver }) => driver.access(),
    },
    { driver: (world) => new driver(world), before: ({ driver, x }) => driver.child.write(x) },
  )
}

export const b40: Claim = {
  id: 'B40',
  title: 'Of several invalidations that find a region empty one destroys it',
  source: 'RDMA/mlx5: Fix implicit ODP use after free',
  says: `Several invalidations may find at the same time that the last page of a region has gone, so that it can be destroyed. Each of them would send a worker; the first one frees the region, and the second works on what is free. So the table of regions decides: whoever takes the region
off it, by a compare-and-exchange, sends the worker, and there is one such. Readers who still look at the region are in an SRCU section, for which the worker waits.`,
  variants: [
    variant('right', 'who takes the region off the table sends for the worker', 'pass', invalidating(ImplicitDriver)),
    variant('a', 'whoever finds the region empty does', 'UAF', invalidating(NoWinner)),
  ],
}
