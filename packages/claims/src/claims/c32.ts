import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { Protocol, type Applied, type Notifier } from '@mmu-notifier/core/steps'
import { variant, type Claim } from '../claim.ts'
import { overlapping } from '../collision.ts'
import { withProtocol } from '../cores.ts'
import { Driver } from '../driver.ts'
import type { Cell } from '@mmu-notifier/kernel'

/** Counts its invalidations, so that each has a number of its own. */
class OwnNumber extends Driver {
  readonly counter: Cell<number> = this.world.kernel.cell('driver.seq', 1)

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange): Promise<boolean | InvalidateFinish> {
    const held = await this.counter.update((count) => count + 2)
    return super.invalidate(notifier, range, held + 2)
  }
}

/** The first one that ends makes the sequence even. */
class FirstEnds extends Protocol<Notifier> {
  override end(): Applied<Notifier> | undefined {
    const last = super.end()
    if (last || !this.frozen) return last
    this.thaw()
    return this.apply()
  }
}

export const c32: Claim = {
  id: 'C32',
  title: 'Two invalidations of one interval share the number of the period, and its readers wait for both',
  source: 'derived',
  says: `They overlap in any order, so a reader that knows of one of them must wait for the other too: there is one number for the period, and it becomes even when nothing is under way. A driver that gives each invalidation a number of its own has readers
that wait for none of them. A period that ends with the first one lets readers go on while the second has called back already and has not changed the page table yet.`,
  variants: [
    variant('right', 'a device fault, a migration and a reclaim of the same page', 'pass', overlapping()),
    variant('a', 'each callback counts a number up', 'STALE', overlapping({ driver: (world) => new OwnNumber(world) })),
    variant('b', 'the first end is the end of the period', 'STALE', overlapping({ operations: withProtocol(FirstEnds) })),
  ],
}
