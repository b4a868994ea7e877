import type { IntervalNotifier, InvalidateRange } from '@mmu-notifier/core'
import { variant, type Claim } from '../claim.ts'
import { collision } from '../collision.ts'
import { Driver } from '../driver.ts'

/** Unmaps, and tells no reader. */
class NoSetSeq extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange): Promise<boolean> {
    if (!(await this.lock.lockFor(range))) return false
    await this.zap(range.within(notifier))
    await this.lock.unlock()
    return true
  }
}

/** Tells the readers if there was something to unmap. */
class SetSeqIfMapped extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean> {
    if (!(await this.lock.lockFor(range))) return false
    if ((await this.world.deviceEntry(0).read()) !== 0) {
      await notifier.setSeq(seq)
      await this.zap(range.within(notifier))
    }
    await this.lock.unlock()
    return true
  }
}

export const c24: Claim = {
  id: 'C24',
  title: 'A callback calls setSeq always, whether or not the device maps anything',
  source: 'derived',
  says: `\`setSeq\` is how a callback tells those readers that have read the CPU page table and programmed nothing yet. That nothing is mapped says nothing of them: it is what they are about to change. So the early return of a callback that has
"nothing to do" is the same bug as to leave the call out; it only needs a reader in that window to be seen.`,
  variants: [
    variant('right', 'two device faults and a migration of their page', 'pass', collision()),
    variant('a', 'the callback does not call setSeq', 'STALE', collision({ driver: (world) => new NoSetSeq(world) })),
    variant('b', 'the callback returns early when nothing is mapped', 'STALE', collision({ driver: (world) => new SetSeqIfMapped(world) })),
  ],
}
