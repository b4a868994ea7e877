import type { InvalidateRange, MmuNotifierOps } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Cell, SpinLock, WaitQueue } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import { PAGE, type World } from '../world.ts'

/** As KVM: it counts the invalidations of the memory that its guest has, and the guest's faults wait until there is none. */
class GuestDriver extends Driver {
  readonly slots: SpinLock = this.world.kernel.spinLock('mn_invalidate_lock')
  readonly queue: WaitQueue = this.world.kernel.waitQueue('mn_memslots_update')
  /** The last page of the guest's memory, which begins at page 0; negative for none. */
  readonly slot: Cell<number> = this.world.kernel.cell('memslot', 0)
  /** Invalidations under way. */
  readonly active: Cell<number> = this.world.kernel.cell('mn_active_invalidate_count', 0)
  /** Those of the guest's memory. */
  readonly count: Cell<number> = this.world.kernel.cell('mmu_invalidate_in_progress', 0)
  readonly classic: MmuNotifierOps = {
    invalidateRangeStart: async (range) => {
      await this.change(range, 1)
      return true
    },
    invalidateRangeEnd: async (range) => {
      await this.change(range, -1)
      await this.queue.wakeAll()
    },
  }

  /** Both ask which memory the guest has, so both have to be told the same. */
  protected change({ start }: InvalidateRange, by: number): Promise<void> {
    return this.slots.section(() => {
      this.active.value += by
      if (start < (this.slot.value + 1) * PAGE) this.count.value += by
    })
  }

  /** The guest loses its memory; between invalidations only. */
  async removeSlot(): Promise<void> {
    for (;;) {
      await this.queue.until(() => this.active.value === 0)
      const done = await this.slots.section(() => {
        if (this.active.value > 0) return false
        this.slot.value = -1
        return true
      })
      if (done) return
    }
  }

  /** A fault of the guest. */
  wait(): Promise<void> {
    return this.queue.until(() => this.count.value === 0)
  }
}

/** The guest loses its memory at any time. */
class RemovesAnytime extends GuestDriver {
  override removeSlot(): Promise<void> {
    return this.slots.section(() => { this.slot.value = -1 })
  }
}

/** The guest's memory goes while a page of it is reclaimed, and a virtual CPU faults. */
function removing(driver: new (world: World) => GuestDriver): Scenario<Stage<GuestDriver>> {
  return stage<GuestDriver>(
    {
      reclaim: ({ world }) => world.reclaim(0),
      update: ({ driver }) => driver.removeSlot(),
      vcpu: ({ driver }) => driver.wait(),
    },
    { intervals: [], driver: (world) => new driver(world), before: async ({ world, driver }) => { await world.notifiers.register(driver.classic) } },
  )
}

export const b45: Claim = {
  id: 'B45',
  title: 'The end of an invalidation finds what its start has found',
  source: 'KVM: Block memslot updates across range_start() and range_end()',
  says: `A notifier that counts the invalidations of what it has mapped asks twice, at the start and at the end, whether it has. If what it has changes in between, the start counts up and the end does not count down, and whoever waits for 0 waits for ever. So such a change waits until no
invalidation is under way. The intervals of this protocol have the same rule built in: between a start that hits and its end, the tree is frozen.`,
  variants: [
    variant('right', 'memory is changed between invalidations', 'pass', removing(GuestDriver)),
    variant('a', 'it is changed at any time', 'HANG', removing(RemovesAnytime)),
  ],
}
