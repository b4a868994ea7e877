import type { IntervalNotifier, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Mutex } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Its callback needs two locks; where it must not wait it may get the first and not the second. */
class TwoLocks extends Driver {
  readonly hardware: Mutex = this.world.kernel.mutex('driver.hardware')

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean> {
    if (!(await this.lock.lockFor(range))) return false
    if (!(await this.hardware.lockFor(range))) {
      await this.refuse()
      return false
    }
    await notifier.setSeq(seq)
    await this.zap(range.within(notifier))
    await this.hardware.unlock()
    await this.lock.unlock()
    return true
  }

  protected refuse(): Promise<void> {
    return this.lock.unlock()
  }
}

/** It keeps the first. */
class Forgets extends TwoLocks {
  protected override async refuse(): Promise<void> {
    // returns
  }
}

/** The OOM reaper comes while a device faults, and while the hardware is in use. */
function reaping(driver: new (world: World) => TwoLocks): Scenario<Stage<TwoLocks>> {
  return stage<TwoLocks>(
    {
      reaper: ({ world }) => world.reap(0),
      submit: ({ world, driver }) => driver.hardware.with(() => world.kernel.condResched()),
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
    },
    { driver: (world) => new driver(world) },
  )
}

export const b42: Claim = {
  id: 'B42',
  title: 'A callback that refuses gives back what it has locked',
  source: 'RDMA/odp: Fix missed unlock in non-blocking invalidate_start',
  says: `A callback that must not wait takes what it can get. If it has one lock and does not get the next it says no, and then it is as if it had never been called: the first lock is given back. Forgotten on that path, which no test of ordinary invalidations goes, it stays with a task
that has long gone on, and everybody else waits for it.`,
  variants: [
    variant('right', 'the callback unlocks and refuses', 'pass', reaping(TwoLocks)),
    variant('a', 'it refuses with the lock held', ['LEAK', 'HANG'], reaping(Forgets)),
  ],
}
