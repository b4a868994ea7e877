import type { IntervalNotifier, InvalidateRange } from '@mmu-notifier/core'
import { variant, type Claim } from '../claim.ts'
import { collision } from '../collision.ts'
import { Driver } from '../driver.ts'

/** Tells the readers first, and locks then. */
class SetSeqBeforeLock extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean> {
    await notifier.setSeq(seq)
    await this.lock.lock()
    await this.zap(range.within(notifier))
    await this.lock.unlock()
    return true
  }
}

/** Tells the readers when the lock is released already. */
class SetSeqAfterLock extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean> {
    await this.lock.lock()
    await this.zap(range.within(notifier))
    await this.lock.unlock()
    await notifier.setSeq(seq)
    return true
  }
}

export const c25: Claim = {
  id: 'C25',
  title: 'setSeq is called under the user lock, with the unmapping',
  source: 'derived',
  says: `Called after the lock is released it is too late: a reader gets the lock between the unmapping and \`setSeq\`, hears that nothing has happened, and programs.

Called before the lock is taken it does no harm where memory is sequentially consistent, as it is here: a reader that has not seen it programs before the callback has the lock, and what it programs is unmapped. That is an argument about the order of
two stores, which the lock spares: it is no reason to do so, and it does not hold for a callback that may have to refuse.`,
  variants: [
    variant('right', 'two device faults and a migration of their page', 'pass', collision()),
    variant('before', 'setSeq, then the lock', 'pass', collision({ driver: (world) => new SetSeqBeforeLock(world) })),
    variant('after', 'the lock, then setSeq', 'STALE', collision({ driver: (world) => new SetSeqAfterLock(world) })),
  ],
}
