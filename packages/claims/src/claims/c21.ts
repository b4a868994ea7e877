import type { IntervalNotifier } from '@mmu-notifier/core'
import { variant, type Claim } from '../claim.ts'
import { collision } from '../collision.ts'
import { Driver } from '../driver.ts'

/** Programs what it has read, whatever happened since. */
class NoRetry extends Driver {
  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    await notifier.readBegin()
    const frame = await this.world.read(page)
    await this.lock.lock()
    if (frame !== 0) await this.world.program(page, frame)
    await this.lock.unlock()
    return true
  }
}

export const c21: Claim = {
  id: 'C21',
  title: 'What was read of the CPU page table is programmed only if readRetry says so',
  source: 'derived',
  says: `Between \`readBegin\` and the programming nothing is locked that an invalidation would wait for: it may run from its start to its end there, find nothing to unmap, and free the page. \`readRetry\` is the only thing by which the
reader learns of it. Without it the device gets an entry for a frame that has another owner by now, and no later callback is due that would take it away.`,
  variants: [
    variant('right', 'two device faults and a migration of their page', 'pass', collision()),
    variant('a', 'the reader does not call readRetry', 'STALE', collision({ driver: (world) => new NoRetry(world) })),
  ],
}
