import { Operations, type Batch, type Notifier } from '@mmu-notifier/core/steps'
import { isMmuNotifierError, MmuNotifierError } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { stage, type Stage } from '../scenario.ts'

/** A batch reads plainly whether there has been an interval. */
class PlainRead extends Operations {
  override async batch(batch: Batch<Notifier>): Promise<void> {
    if (!this.intervals.value) throw new MmuNotifierError('EINVAL', 'batch: there has been no interval yet')
    await super.batch(batch)
  }
}

/** One task inserts the first interval of an address space while another inserts by a batch, which is refused if it comes too early; somebody reclaims a page. */
function first(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver }) => { await driver.insert(0) },
      async other({ world, driver }) {
        const tree = await world.notifiers.lockTree()
        try {
          await tree.batch({ insert: [{ interval: world.pagesOf(1), ops: driver.ops }] })
        } catch (error) {
          if (!isMmuNotifierError(error, 'EINVAL')) throw error
        }
        await tree.unlock()
      },
      reclaim: ({ world }) => world.mm.rmapLock.read(() => world.reclaim(0)),
    },
    { pages: 2, intervals: [], ...(operations && { operations }) },
  )
}

export const v09: Claim = {
  id: 'V9',
  title: 'Who inserts without the mmap lock reads with acquire whether the address space has intervals',
  source: 'derived',
  says: `The first registration sets up what the others use, under the mmap lock, and publishes it by one store. An insert that does not take that lock (the posted \`insert_safe\`, a batch here) looks at the word while it may be written. If it reads it plainly, nothing says that it sees what was set up before: on a machine with weak ordering it may find
the word set, and the spinlock behind it not initialised. Release and acquire order the two.

Here every step is seen in one order, so that memory is never seen half set up. What is found is the cause: a plain read and a write that nothing orders. Invalidations do read the word plainly. They may, since they hold the mmap lock or that of the reverse mapping, and the first registration takes both for write.`,
  variants: [
    variant('right', 'a marked read', 'pass', first()),
    variant('a', 'a plain one', 'RACE', first(withOperations(PlainRead))),
  ],
}
