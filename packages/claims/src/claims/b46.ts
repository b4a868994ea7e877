import type { InvalidateRange, MmuNotifierOps } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Cell, WaitQueue } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import { PAGE, type World } from '../world.ts'

/** The invalidations under way: how many, and pages that take in all of theirs. */
interface Under {
  readonly count: number
  readonly first: number
  readonly last: number
}

/** As KVM: a classic notifier with a number that grows at each end, and a count of what is under way. A fault is retried while anything is. */
class WholeDriver extends Driver {
  readonly seq: Cell<number> = this.world.kernel.cell('mmu_invalidate_seq', 0)
  readonly under: Cell<Under> = this.world.kernel.cell<Under>('mmu_invalidate_in_progress', { count: 0, first: 0, last: 0 })
  readonly queue: WaitQueue = this.world.kernel.waitQueue('mn_memslots_update')
  readonly classic: MmuNotifierOps = {
    invalidateRangeStart: async (range) => {
      await this.lock.lock()
      await this.under.update((held) => this.begins(held, range))
      await this.zap({ start: range.start, last: range.end - 1 })
      await this.lock.unlock()
      return true
    },
    invalidateRangeEnd: async () => {
      await this.lock.lock()
      await this.seq.update((held) => held + 1)
      await this.under.update((held) => ({ ...held, count: held.count - 1 }))
      await this.lock.unlock()
      await this.queue.wakeAll()
    },
  }

  protected begins({ count, ...held }: Under, { start, end }: InvalidateRange): Under {
    const [first, last] = [start / PAGE, end / PAGE - 1]
    if (count === 0) return { count: 1, first, last }
    return { count: count + 1, first: Math.min(held.first, first), last: Math.max(held.last, last) }
  }

  protected concerns({ count }: Under, _page: number): boolean {
    return count > 0
  }

  async guestFault(page: number): Promise<void> {
    for (;;) {
      const seq = await this.seq.read()
      const frame = await this.world.read(page)
      await this.lock.lock()
      const retry = this.concerns(await this.under.read(), page) || (await this.seq.read()) !== seq
      if (!retry && frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      if (!retry) return
      await this.queue.until(() => !this.concerns(this.under.value, page))
    }
  }
}

/** A fault is retried only if what is under way may concern its page. */
class RangeDriver extends WholeDriver {
  protected override concerns({ count, first, last }: Under, page: number): boolean {
    return count > 0 && first <= page && page <= last
  }
}

/** It knows the range of the last start only. */
class ForgetsOne extends RangeDriver {
  protected override begins({ count }: Under, { start, end }: InvalidateRange): Under {
    return { count: count + 1, first: start / PAGE, last: end / PAGE - 1 }
  }
}

/** A guest faults on page 0, which is reclaimed, and on page 1, which is too. */
function guest(driver: new (world: World) => WholeDriver): Scenario<Stage<WholeDriver>> {
  return stage<WholeDriver>(
    {
      vcpu: ({ driver }) => driver.guestFault(0),
      reclaim: ({ world }) => world.reclaim(0),
      other: ({ world }) => world.reclaim(1),
    },
    { pages: 2, intervals: [], driver: (world) => new driver(world), before: async ({ world, driver }) => { await world.notifiers.register(driver.classic) } },
  )
}

export const b46: Claim = {
  id: 'B46',
  title: 'A retry that knows the ranges under way is as safe as one that does not',
  source: 'KVM: gfn_to_pfn retry counters',
  says: `A driver on a classic notifier counts: a fault is retried when an invalidation is under way, or has ended since it began. With many invalidations nearly every fault is. It may look whether those under way concern its page, and go on if not: that is as safe, as long as what it
compares with takes in all of them. One pair of bounds that grows with each start, and begins anew when none is left, is enough. If a start overwrites it instead, a fault on the pages of an earlier one, which has not ended, goes through.

What it saves is time, of which this checker knows nothing; that it loses no safety is what is shown.`,
  variants: [
    variant('right', 'the bounds take in every range under way', 'pass', guest(RangeDriver)),
    variant('right whole', 'a fault is retried while anything is under way', 'pass', guest(WholeDriver)),
    variant('a', 'the bounds are those of the last start', 'STALE', guest(ForgetsOne)),
  ],
}
