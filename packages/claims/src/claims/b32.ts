import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Cell, Mutex } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** What the device has written to is marked dirty, under the lock of its folio, as soon as it was programmed. */
class MarkingDriver extends Driver {
  readonly folioLock: Mutex = this.world.kernel.mutex('folio lock')
  readonly dirty: Cell<boolean> = this.world.kernel.cell('dirty', false)

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    const done = await super.fault(notifier, page)
    await this.setDirty()
    return done
  }

  /** Linux: `set_page_dirty_lock()`. */
  protected setDirty(): Promise<void> {
    return this.folioLock.with(() => this.dirty.write(true))
  }

  /** Migration holds the folio while it invalidates. */
  migrate(page: number): Promise<void> {
    return this.folioLock.with(() => this.world.replace(page))
  }
}

/** It marks them under the lock that its callback takes. */
class MarksUnderLock extends MarkingDriver {
  protected override setDirty(): Promise<void> {
    return this.lock.with(() => super.setDirty())
  }
}

/** Two devices on a page that is migrated. */
function migrating(driver: new (world: World) => MarkingDriver): Scenario<Stage<MarkingDriver>> {
  return stage<MarkingDriver>(
    {
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      migrate: ({ driver }) => driver.migrate(0),
      async second({ driver, x }) {
        await driver.fault(x, 0)
      },
    },
    { driver: (world) => new driver(world) },
  )
}

export const b32: Claim = {
  id: 'B32',
  title: 'No folio is locked under a lock that a callback takes',
  source: 'drm/xe/userptr: fix notifier vs folio deadlock',
  says: `Migration and reclaim lock a folio and then invalidate its mappings, so the callback runs with that folio locked. A driver that locks a folio while it holds the lock of its callback, to mark it dirty before it lets it go, closes the circle: each has what the other waits for.
So pages are marked and let go when that lock has been given back.`,
  variants: [
    variant('right', 'the driver marks pages dirty when it has unlocked', 'pass', migrating(MarkingDriver)),
    variant('a', 'it does so under its lock', 'LOCKDEP', migrating(MarksUnderLock)),
    variant('a without lockdep', 'the same, until it happens', 'DEADLOCK', migrating(MarksUnderLock), { lockdep: false }),
  ],
}
