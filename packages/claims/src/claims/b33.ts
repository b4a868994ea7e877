import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Memory } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** It looks into the page before it programs it, to see in which memory it lies: in the section in which it knows that the page is still there. */
class LookingDriver extends Driver {
  /** By frame: what describes it. */
  readonly pages: readonly Memory[] = this.world.frames.map((_, frame) => this.world.kernel.memory(`the page of frame ${frame}`))

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      await this.early(frame)
      await this.lock.lock()
      const retry = await notifier.readRetry(seq)
      if (!retry && frame !== 0) {
        this.look(frame)
        await this.world.program(page, frame)
      }
      await this.lock.unlock()
      if (!retry) return true
    }
  }

  /** Before the lock. */
  protected async early(_frame: number): Promise<void> {
    // nothing yet
  }

  protected look(frame: number): void {
    this.pages[frame]?.use('fault')
  }

  /** Memory is taken away: with its pages go what describes them. */
  async unplug(page: number): Promise<void> {
    const { world } = this
    await world.notifiers.invalidate({ ...world.rangeOf(page), event: 'clear' }, async () => {
      const frame = await world.read(page)
      await world.clear(page)
      if (frame !== 0) this.pages[frame]?.free()
    })
  }
}

/** It looks when it has read the CPU page table. */
class LooksEarly extends LookingDriver {
  protected override async early(frame: number): Promise<void> {
    if (frame !== 0) this.look(frame)
  }
}

/** Two devices on a page whose memory is taken away. */
function unplugging(driver: new (world: World) => LookingDriver): Scenario<Stage<LookingDriver>> {
  return stage<LookingDriver>(
    {
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      unplug: ({ driver }) => driver.unplug(0),
      async second({ driver, x }) {
        await driver.fault(x, 0)
      },
    },
    { driver: (world) => new driver(world) },
  )
}

export const b33: Claim = {
  id: 'B33',
  title: 'What was read of the page tables is a number until readRetry is false',
  source: "drm/xe/hmm: Don't dereference struct page pointers without notifier lock",
  says: `Reading the CPU page tables takes no reference to what they name. Between the read and \`readRetry\` the page may have gone, and with it what describes it. So the driver does not look into it, not even to ask what kind of memory it is, before it holds its user lock and
knows that it need not retry. In that section it may: an invalidation would have to come past the lock first.`,
  variants: [
    variant('right', 'the driver looks into a page where it programs it', 'pass', unplugging(LookingDriver)),
    variant('a', 'it does so as soon as it has read the page table', 'UAF', unplugging(LooksEarly)),
  ],
}
