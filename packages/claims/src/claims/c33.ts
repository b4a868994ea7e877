import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { Operations, type Range } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage, type StageOptions } from '../scenario.ts'

/** A device fault, a migration of its page, and the OOM reaper, which may not wait for a callback and leaves the page alone when one refuses. */
function reaping(options: StageOptions<Driver> = {}): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      migration: ({ world }) => world.replace(0),
      async reaper({ world }) {
        const range = await world.notifiers.invalidateRangeStartNonblock({ ...world.rangeOf(0), event: 'clear' })
        if (range === 'EAGAIN') return
        await world.clear(0)
        await world.notifiers.invalidateRangeEnd(range)
      },
    },
    options,
  )
}

/** Without the look at what is left at rest, which would find these too. */
function unchecked({ setup, tasks }: Scenario<Stage>): Scenario<Stage> {
  return { setup, tasks }
}

/** The caller ends what was refused to him. */
class EndsRefused extends Operations {
  override async start(range: Range): Promise<boolean> {
    if (await super.start(range)) return true
    await super.endIntervals(range)
    return false
  }
}

/** Nobody ends what was refused. */
class NeverEndsRefused extends Operations {
  override async end(range: Range): Promise<void> {
    await super.endIntervals(range)
    await this.classic.end(range)
  }

  protected override async endIntervals(_range: Range): Promise<void> {
    // left to the caller
  }
}

/** Unmaps although it will refuse, and tells no reader. */
class ZapsAndRefuses extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const done = await super.invalidate(notifier, range, seq)
    if (done === false) await this.zap(range.within(notifier))
    return done
  }
}

/** Agrees although it did not get the lock. */
class AgreesAnyway extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    return (await super.invalidate(notifier, range, seq)) || true
  }
}

export const c33: Claim = {
  id: 'C33',
  title: 'A refused range is as if it had never started',
  source: 'derived',
  says: `Who may not wait tries the user lock in the callback, and returns false before anything was changed. The core then ends the range itself, and the caller neither changes the page table nor ends it. If both end it, the count of open invalidations is one too
low, and the period of another one is over while it runs. If neither does, the sequence stays odd for ever: its readers sleep, and so does every removal.

A callback that has unmapped before it refuses does no harm, since nothing happens to the page. One that agrees without the lock has let a translation live whose page is about to be freed. What happens when the intervals agree and a classic
notifier refuses is MAIN-1.`,
  variants: [
    variant('right', 'a device fault, a migration and the OOM reaper', 'pass', reaping()),
    variant('c', 'the callback unmaps, and refuses', 'pass', reaping({ driver: (world) => new ZapsAndRefuses(world) })),
    variant('a', 'the caller ends it once more', 'STALE', unchecked(reaping({ operations: withOperations(EndsRefused) }))),
    variant('b', 'the core does not end it', 'HANG', unchecked(reaping({ operations: withOperations(NeverEndsRefused) }))),
    variant('d', 'the callback agrees without the lock', 'STALE', reaping({ driver: (world) => new AgreesAnyway(world) })),
  ],
}
