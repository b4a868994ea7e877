import type { Interval } from '@mmu-notifier/core'
import { Protocol, type Applied, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { stage, type Stage } from '../scenario.ts'
import { PAGE } from '../world.ts'

/** No flag says that an update is pending, but a value of the new interval says that none is. What is queued, is in the tree and has none, is a removal: v6. */
abstract class Sentinel extends Protocol<Notifier> {
  protected abstract means(updated: Interval): boolean

  protected override apply(): Applied<Notifier> {
    for (const entry of this.deferred) {
      const updated = entry.updated.value
      if (entry.phase !== 'live' || !updated || !this.means(updated)) continue
      entry.phase = 'dying'
      entry.removal = 'deferred'
      this.leaving.add(entry)
    }
    return super.apply()
  }
}

/** The address of the last byte is 0. */
class LastIsZero extends Sentinel {
  protected override means({ last }: Interval): boolean {
    return last === 0
  }
}

/** The address behind the last byte is 0, as that of an interval is which reaches the end of the address space: here of two pages. */
class EndIsZero extends Sentinel {
  protected override means({ last }: Interval): boolean {
    return (last + 1) % (2 * PAGE) === 0
  }
}

/** The address of the first byte is 0. */
class StartIsZero extends Sentinel {
  protected override means({ start }: Interval): boolean {
    return start === 0
  }
}

/** The interval over both pages is updated to one that still has something of `page`, which a reader with a reference works on. */
function updated(interval: Interval, page: number, operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver, x }) => { await driver.fault(x, page) },
      async control({ world, x }) {
        const tree = await world.notifiers.lockTree()
        await tree.update(x, interval)
        await tree.unlock()
      },
      reclaim: ({ world }) => world.reclaim(page),
    },
    { pages: 2, before: ({ x }) => x.get(), ...(operations && { operations }) },
  )
}

const FIRST: Interval = { start: 0, last: PAGE - 1 }
const SECOND: Interval = { start: PAGE, last: 2 * PAGE - 1 }
const BYTE: Interval = { start: 0, last: 0 }

export const c03: Claim = {
  id: 'C3',
  title: 'updated_end == 0 can stand for "no update", as long as intervals are of whole pages and ends belong to them',
  source: 'mail',
  says: `v6 has no flag for a pending update: an interval that is queued while it is in the tree is updated if its new end is not 0, and removed if it is. The last address of whole pages is 4095 or more, so no update is taken for a removal. But that
rests on both conditions. The core itself allows an interval of the single address 0, whose last address is 0; and if the end did not belong to the interval, it would be 0 for the interval that reaches the end of the address space. The start cannot serve: intervals
that begin at 0 are common, since a driver may register the whole address space. In each of these cases the update removes the interval, and the device goes on with pages of which nobody tells it. Here an update is a value of its own or absent, which needs none of this.`,
  variants: [
    variant('right', 'an update is a value of its own: the single address 0', 'pass', updated(BYTE, 0)),
    variant('right pages', 'the last address 0 stands for no update, intervals are of whole pages', 'pass', updated(FIRST, 0, withProtocol(LastIsZero))),
    variant('right end', 'an update is a value of its own: up to the end of the address space', 'pass', updated(SECOND, 1)),
    variant('a', 'the last address 0 stands for no update: the single address 0', 'STALE', updated(BYTE, 0, withProtocol(LastIsZero))),
    variant('b', 'the end 0 stands for no update: up to the end of the address space', 'STALE', updated(SECOND, 1, withProtocol(EndIsZero))),
    variant('c', 'the start 0 stands for no update', 'STALE', updated(FIRST, 0, withProtocol(StartIsZero))),
  ],
}
