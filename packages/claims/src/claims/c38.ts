import { Operations, Range, type Applied, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { stage, type Stage } from '../scenario.ts'

/** A device fault, a reclaim of another page, and a migration, which starts with the range of page 0 and ends with that of page `ended`. */
function ending(ended: number, operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      async migration({ world }) {
        const { notifiers } = world
        const { event, blockable, tree } = (await notifiers.invalidateRangeStart({ ...world.rangeOf(0), event: 'clear' })) as Range
        const old = await world.entry(0).update(() => 1 + world.pages)
        await world.free(old)
        await notifiers.invalidateRangeEnd(new Range({ ...world.rangeOf(ended), event }, blockable, tree))
      },
      reclaim: ({ world }) => world.reclaim(1),
    },
    { pages: 2, intervals: [[0, 0]], ...(operations && { operations }) },
  )
}

/** Looks for what the range hits at its end as at its start, and takes no notice of one that hits nothing. */
class EndsWhatItHits extends Operations {
  protected override async endPeriod(range: Range | undefined): Promise<Applied<Notifier> | undefined> {
    const hits = await this.lock.section(() => !range || this.protocol.tree.findFirst(range.start, range.end - 1) >= 0)
    return hits ? super.endPeriod(range) : undefined
  }
}

export const c38: Claim = {
  id: 'C38',
  title: 'The end of an invalidation is counted, and not looked up',
  source: 'derived',
  says: `For intervals only the number of ends matters: which range it is that ends nobody asks, so two ranges may be confused without harm to the sequence. That is more than a convenience. Between start and end intervals come and go, and whoever decides at
the end by what the range hits *then* decides otherwise than at the start. His count does not return to zero, and every reader sleeps for ever. (KVM had this bug with its own set of ranges; classic notifiers that count have to be told the same range
twice.)`,
  variants: [
    variant('right', 'a migration that ends what it has started', 'pass', ending(0)),
    variant('other range', 'a migration that ends another range', 'pass', ending(1)),
    variant('a', 'another range, and a core that looks for what it hits', ['HANG', 'QUIESCENT'], ending(1, withOperations(EndsWhatItHits))),
  ],
}
