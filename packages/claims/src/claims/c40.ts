import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage, type StageOptions } from '../scenario.ts'
import { PAGE, type World } from '../world.ts'

/** A device with large entries: a fault maps both pages at once, as far as the interval reaches. */
class LargeDriver extends Driver {
  override async attempt(notifier: IntervalNotifier, page: number): Promise<boolean> {
    const seq = await notifier.readBegin()
    const frames = await this.readAll(notifier, page)
    await this.lock.lock()
    const retry = await notifier.readRetry(seq)
    if (!retry) for (const [p, frame] of frames) await this.map(p, frame)
    await this.lock.unlock()
    return !retry
  }

  /** @returns pages with the frames of those that are there */
  protected async readAll(notifier: IntervalNotifier, page: number): Promise<[page: number, frame: number][]> {
    const frames: [number, number][] = []
    for (const p of this.extent(notifier, page)) {
      const frame = await this.world.read(p)
      if (frame !== 0) frames.push([p, frame])
    }
    return frames
  }

  /** Which pages a fault maps. */
  protected extent({ start, last }: IntervalNotifier, _page: number): number[] {
    return this.block().filter((page) => start <= page * PAGE && (page + 1) * PAGE - 1 <= last)
  }

  /** The pages of one large entry. */
  protected block(): number[] {
    return [0, 1]
  }
}

/** The CPU has both pages as one large entry, so the device takes both. */
class BeyondInterval extends LargeDriver {
  protected override extent(): number[] {
    return this.block()
  }
}

/** Its intervals are of one page each, and what it maps it reads under the numbers of all of them. */
class ManyIntervals extends BeyondInterval {
  intervals: readonly IntervalNotifier[] = []

  override async attempt(_notifier: IntervalNotifier, page: number): Promise<boolean> {
    const seqs = await this.begin()
    const [first] = this.intervals
    const frames = first ? await this.readAll(first, page) : []
    await this.lock.lock()
    let retry = false
    for (const [notifier, seq] of seqs) retry = (await notifier.readRetry(seq)) || retry
    if (!retry) for (const [p, frame] of frames) await this.map(p, frame)
    await this.lock.unlock()
    return !retry
  }

  protected async begin(): Promise<[IntervalNotifier, number][]> {
    const seqs: [IntervalNotifier, number][] = []
    for (const notifier of this.intervals) seqs.push([notifier, await notifier.readBegin()])
    return seqs
  }
}

/** It has an interval for each page, and reads under the number of one. */
class OneNumber extends ManyIntervals {
  protected override async begin(): Promise<[IntervalNotifier, number][]> {
    return (await super.begin()).slice(0, 1)
  }
}

/** An attempt at a fault on the first page; the page beside it is reclaimed, and the first one unmapped. */
function beside<D extends Driver>(driver: (world: World) => D, options: StageOptions<D>, tasks?: Scenario<Stage<D>>['tasks']): Scenario<Stage<D>> {
  return stage<D>(
    {
      device: async (state) => { await state.driver.attempt(state.x, 0) },
      munmap: ({ world }) => world.unmap(0),
      ...(tasks ?? { reclaim: ({ world }) => world.reclaim(1) }),
    },
    { pages: 2, driver, check: (state) => { state.driver.covered(state.notifiers) }, ...options },
  )
}

const each: StageOptions<ManyIntervals> = { intervals: [[0, 0], [1, 1]], before: async ({ driver, notifiers }) => { driver.intervals = notifiers } }

export const c40: Claim = {
  id: 'C40',
  title: 'A device entry lies within the interval under whose number it was read',
  source: 'derived',
  says: `Devices have entries of many sizes, and the CPU says how large its own is: "page 0 is part of a block of two". That says nothing about the interval, which may end in the middle of the block. What lies beyond it nobody will take back: an invalidation of it is none of the interval's. So the
fault is clipped to the interval, or the interval is made to cover the block.

That every entry lies in *some* interval is not enough either. A driver that has one for each page, and maps a block of them, asks \`readRetry\` of all. With the number of one it programs what another one has just lost: its callback has come and gone, and found nothing to clear.`,
  variants: [
    variant('right', 'the fault is clipped to the interval, which has one page', 'pass', beside((world) => new LargeDriver(world), { intervals: [[0, 0]] })),
    variant('right both', 'the interval covers the block', 'pass', beside((world) => new LargeDriver(world), { intervals: [[0, 1]] })),
    variant('right each', 'an interval for each page, and the numbers of both', 'pass', beside((world) => new ManyIntervals(world), each)),
    variant('a', 'the interval has one page, the fault maps two', 'STALE', beside((world) => new BeyondInterval(world), { intervals: [[0, 0]] })),
    variant('a at rest', 'the same, where nobody takes the page beside', 'MISS', beside((world) => new BeyondInterval(world), { intervals: [[0, 0]] }, {})),
    variant('b', 'an interval for each page, and the number of the first', 'STALE', beside((world) => new OneNumber(world), each)),
  ],
}
