import type { IntervalNotifier } from '@mmu-notifier/core'
import { variant, type Claim } from '../claim.ts'
import { collision } from '../collision.ts'
import { Driver } from '../driver.ts'

/** Asks readRetry first, and takes the user lock then. */
class RetryBeforeLock extends Driver {
  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      if (await notifier.readRetry(seq)) continue
      await this.lock.lock()
      if (frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      return true
    }
  }
}

export const c22: Claim = {
  id: 'C22',
  title: 'readRetry is asked under the user lock',
  source: 'derived',
  says: `The answer of \`readRetry\` is true only for as long as no callback can run. Callbacks take the user lock, so under it the answer holds until the lock is released. Asked outside, it says what was: between it and the lock a callback comes,
finds nothing to unmap, and goes; then the reader programs what is about to be freed. \`checkRetry\` is for this place: it saves the work that is lost already, and decides nothing.`,
  variants: [
    variant('right', 'two device faults and a migration of their page', 'pass', collision()),
    variant('a', 'the reader asks before it takes the lock', 'STALE', collision({ driver: (world) => new RetryBeforeLock(world) })),
  ],
}
