import type { InvalidateRange, MmuNotifier, MmuNotifierOps } from '@mmu-notifier/core'
import { ClassicNotifiers, Operations } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import type { Cell, WaitQueue } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'

/** As KVM: it counts the invalidations under way, and a guest's fault waits until there is none. */
class CountingDriver extends Driver {
  readonly count: Cell<number> = this.world.kernel.cell('mmu_invalidate_in_progress', 0)
  readonly queue: WaitQueue = this.world.kernel.waitQueue('mn_memslots_update')
  readonly counting: MmuNotifierOps = {
    invalidateRangeStart: async () => {
      await this.count.update((held) => held + 1)
      return true
    },
    invalidateRangeEnd: async () => {
      await this.count.update((held) => held - 1)
      await this.queue.wakeAll()
    },
  }
  /** Another one on the same address space, which comes later on the list. */
  readonly refusing: MmuNotifierOps = { invalidateRangeStart: async ({ blockable }) => blockable }

  wait(): Promise<void> {
    return this.queue.until(() => this.count.value === 0)
  }
}

/** Who has heard of a start that another one refuses, hears no end of it. */
class Unpaired extends ClassicNotifiers {
  /** Each belongs to one task. */
  readonly #starting = new WeakSet<InvalidateRange>()

  override register(ops: MmuNotifierOps): Promise<MmuNotifier> {
    if (!ops.invalidateRangeEnd) return super.register(ops)
    return super.register({ ...ops, invalidateRangeEnd: async (range) => { if (!this.#starting.has(range)) await ops.invalidateRangeEnd?.(range) } })
  }

  override async start(range: Parameters<ClassicNotifiers['start']>[0]): Promise<boolean> {
    this.#starting.add(range)
    const accepted = await super.start(range)
    this.#starting.delete(range)
    return accepted
  }
}

class NoCompensation extends Operations {
  override readonly classic: ClassicNotifiers = new Unpaired(this.kernel, this.mm, this.lock)
}

function reaping(operations?: MakeOperations): Scenario<Stage<CountingDriver>> {
  return stage<CountingDriver>(
    {
      reaper: ({ world }) => world.reap(0),
      vcpu: ({ driver }) => driver.wait(),
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
    },
    {
      driver: (world) => new CountingDriver(world),
      async before({ world, driver }) {
        await world.notifiers.register(driver.counting)
        await world.notifiers.register(driver.refusing)
      },
      ...(operations && { operations }),
    },
  )
}

export const b02: Claim = {
  id: 'B2',
  title: 'Every start that a notifier has heard of is followed by an end',
  source: 'mm/mmu_notifiers: ensure range_end() is paired with range_start()',
  says: `Classic notifiers count: one up at a start, one down at an end, and a guest does not fault pages in while the count is not 0. When a start that must not wait is refused by one of several notifiers, the others have heard of it, and the caller will not call the end. So the core
calls it for them. Without that the count never comes back to 0, and the guest never runs again. (That the refusing one must have no end is what makes the pairs come out right.)`,
  variants: [
    variant('right', 'those who have heard of the refused start hear of its end', 'pass', reaping()),
    variant('a', 'they do not', 'HANG', reaping(withOperations(NoCompensation))),
  ],
}
