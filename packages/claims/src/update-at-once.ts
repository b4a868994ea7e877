import type { Interval, IntervalNotifier } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import type { MakeOperations } from './cores.ts'
import { Driver } from './driver.ts'
import { stage, type Stage } from './scenario.ts'
import type { World } from './world.ts'

/** Gives its interval another page under the tree lock. */
export class Growing extends Driver {
  async grow(x: IntervalNotifier, interval: Interval): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await tree.update(x, interval)
    await tree.unlock()
  }
}

/** Updates whenever it likes. */
export class GrowingAnyTime extends Growing {
  override async grow(x: IntervalNotifier, interval: Interval): Promise<void> {
    const notifier = x as Notifier
    await notifier.operations.batch({ update: [{ entry: notifier, interval }] })
  }
}

/** An update while the sequence is even is made at once, and nothing else: v6. */
export class UpdateAtOnce extends Protocol<Notifier> {
  protected override walks(): void {
    // nobody has to have locked the tree
  }

  protected override update(entry: Notifier, interval: Interval, released: Notifier[]): void {
    if (this.frozen) {
      super.update(entry, interval, released)
      return
    }
    this.erase(entry)
    entry.place.value = interval
    this.enter(entry)
  }
}

/** The same; and if anything runs, it makes the sequence odd, and readers wait for its end. */
export class UpdateAtOnceAsInsert extends UpdateAtOnce {
  protected override update(entry: Notifier, interval: Interval, released: Notifier[]): void {
    super.update(entry, interval, released)
    if (this.active === 0) return
    this.freeze()
    entry.seq.value = this.seq.value
  }
}

/** An interval over page 0 grows over page 1, which is reclaimed; a fault handler works on page 1 if it finds it covered. */
export function growing(driver: (world: World) => Growing, operations?: MakeOperations): Scenario<Stage<Growing>> {
  return stage<Growing>(
    {
      async device({ driver }) {
        const found = await driver.findAndGet(1)
        if (found) await driver.attempt(found, 1)
      },
      control: ({ world, driver, x }) => driver.grow(x, world.pagesOf(0, 1)),
      reclaim: ({ world }) => world.reclaim(1),
    },
    { pages: 2, intervals: [[0, 0]], driver, ...(operations && { operations }) },
  )
}
