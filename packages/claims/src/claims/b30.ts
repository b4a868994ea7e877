import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { WorkQueue } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Its callback queues work on the mappings, for which it takes a user of the address space: if there is one. */
class RestoringDriver extends Driver {
  readonly worker: WorkQueue = this.world.kernel.workQueue('svm_range_restore')

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const done = await super.invalidate(notifier, range, seq)
    if (await this.use()) {
      await this.worker.queue(async () => {
        await this.world.read(0)
        await this.world.mm.mmput()
      })
    }
    return done
  }

  /** Linux: `mmget_not_zero()`. */
  protected use(): Promise<boolean> {
    return this.world.mm.mmget()
  }
}

/** It takes a user whether or not there is one. Linux: `mmget()`. */
class Resurrects extends RestoringDriver {
  protected override async use(): Promise<boolean> {
    await this.world.mm.users.get()
    return true
  }
}

/** The process exits while a page is reclaimed. */
function exiting(driver: new (world: World) => RestoringDriver): Scenario<Stage<RestoringDriver>> {
  return stage<RestoringDriver>(
    {
      exit: ({ world }) => world.mm.mmput(),
      reclaim: ({ world }) => world.reclaim(0),
      async device({ world, driver, x }) {
        if (!(await world.mm.mmget())) return
        await driver.fault(x, 0)
        await world.mm.mmput()
      },
    },
    { driver: (world) => new driver(world) },
  )
}

export const b30: Claim = {
  id: 'B30',
  title: 'A callback takes a user of the address space only if there is one',
  source: 'drm/amdkfd: Use mmget_not_zero in MMU notifier',
  says: `The callbacks of the exit come when the last user has gone. Who takes a user there without asking whether there is one brings a number back from 0 that has said "end" already: what he works on is torn down, and his own last put ends it a second time. So a callback asks, and does
without when there is none.`,
  variants: [
    variant('right', 'the callback takes a user if there is one', 'pass', exiting(RestoringDriver)),
    variant('a', 'it takes one in any case', 'REFCOUNT', exiting(Resurrects)),
  ],
}
