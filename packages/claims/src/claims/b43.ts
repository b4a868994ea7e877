import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** A user hands it a buffer: it registers the interval, reads the pages, programs. */
class BufferDriver extends Driver {
  async setup(page: number): Promise<void> {
    const notifier = await this.insert(page)
    await this.fault(notifier, page)
  }
}

/** It reads the pages, registers the interval, programs. */
class ReadsFirst extends BufferDriver {
  override async setup(page: number): Promise<void> {
    const frame = await this.world.read(page)
    const notifier = await this.insert(page)
    const seq = await notifier.readBegin()
    await this.lock.lock()
    if (frame !== 0 && !(await notifier.readRetry(seq))) await this.world.program(page, frame)
    await this.lock.unlock()
  }
}

/** A device gets a buffer while its page is reclaimed, and while another one registers it. */
function receiving(driver: new (world: World) => BufferDriver): Scenario<Stage<BufferDriver>> {
  return stage<BufferDriver>(
    {
      device: ({ driver }) => driver.setup(0),
      reclaim: ({ world }) => world.reclaim(0),
      async second({ driver }) {
        await driver.insert(0)
      },
    },
    { intervals: [], driver: (world) => new driver(world), before: ({ world }) => world.notifiers.registerIntervals() },
  )
}

export const b43: Claim = {
  id: 'B43',
  title: 'A driver registers first, and reads the pages after that',
  source: 'IB/hfi1: Remove user expected buffer invalidate race',
  says: `What is invalidated between the reading of the pages and the registration of the interval, nobody is told: there was no interval yet. \`readBegin\` and \`readRetry\` do not help when the reading is not between them. The driver would use the pages that it has read for as long as the
buffer lives.`,
  variants: [
    variant('right', 'the driver registers, then reads', 'pass', receiving(BufferDriver)),
    variant('a', 'it reads, then registers', 'STALE', receiving(ReadsFirst)),
  ],
}
