import type { IntervalNotifier } from '@mmu-notifier/core'
import { variant, type Claim } from '../claim.ts'
import { collision } from '../collision.ts'
import { Driver } from '../driver.ts'

/** Reads the CPU page table, and opens the read then. */
class BeginAfterRead extends Driver {
  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const frame = await this.world.read(page)
      const seq = await notifier.readBegin()
      await this.lock.lock()
      const retry = await notifier.readRetry(seq)
      if (!retry && frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      if (!retry) return true
    }
  }
}

export const c27: Claim = {
  id: 'C27',
  title: 'readBegin comes before the CPU page table is read',
  source: 'derived',
  says: `\`readRetry\` speaks of what has happened since \`readBegin\`. What was read before is outside of that: a whole invalidation fits between the reading and \`readBegin\`, and nothing afterwards has changed. It is the same mistake to register the
interval after the pages were looked up, and to keep a number over several looks at the page table.`,
  variants: [
    variant('right', 'two device faults and a migration of their page', 'pass', collision()),
    variant('a', 'the entry is read first', 'STALE', collision({ driver: (world) => new BeginAfterRead(world) })),
  ],
}
