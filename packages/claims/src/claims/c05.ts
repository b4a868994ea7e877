import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import { Unasserted } from '../unasserted.ts'
import type { World } from '../world.ts'

/** Reads the CPU page table as rangeFault does: with the mmap lock. */
class Reading extends Driver {
  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    const seq = await notifier.readBegin()
    const frame = await this.rangeFault(page)
    await this.lock.lock()
    const retry = await notifier.readRetry(seq)
    if (!retry && frame !== 0) await this.world.program(page, frame)
    await this.lock.unlock()
    return !retry
  }

  rangeFault(page: number): Promise<number> {
    return this.world.mm.mmapLock.read(() => this.world.read(page))
  }
}

/** Its callback asks what is left, with the mmap lock. */
class TakesMmapLock extends Reading {
  override async zap(interval: { readonly start: number; readonly last: number }): Promise<void> {
    await super.zap(interval)
    await this.rangeFault(0)
  }
}

/** Its callback faults in what is not there, for which memory is allocated. */
class Allocates extends Reading {
  override async zap(interval: { readonly start: number; readonly last: number }): Promise<void> {
    await super.zap(interval)
    await this.world.kernel.alloc('GFP_KERNEL')
    await this.world.read(0)
  }
}

/** Its callback goes through the loop of a reader, and waits for its own invalidation. */
class Loops extends Reading {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const answer = await super.invalidate(notifier, range, seq)
    await notifier.readBegin()
    await this.world.read(0)
    return answer
  }
}

/** Its callback reads without lock or wait, and programs what it has read. */
class Programs extends Reading {
  override async zap(interval: { readonly start: number; readonly last: number }): Promise<void> {
    await super.zap(interval)
    await this.world.program(0, await this.world.read(0))
  }
}

/** A munmap, with the mmap lock; a reader; and one that changes the VMAs of the page. */
function munmapping(driver: (world: World) => Reading, operations?: MakeOperations): Scenario<Stage<Reading>> {
  return stage<Reading>(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      munmap: ({ world }) => world.mm.mmapLock.write(() => world.unmap(0)),
      remap: ({ world: { mm } }) => mm.mmapLock.write(() => mm.rmapLock.write(async () => undefined)),
    },
    { driver, ...(operations && { operations }) },
  )
}

/** The same with a reclaim, which finds the page by the rmap lock. */
function reclaiming(driver: (world: World) => Reading): Scenario<Stage<Reading>> {
  return stage<Reading>(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      reclaim: ({ world }) => world.mm.rmapLock.read(() => world.reclaim(0)),
      remap: ({ world: { mm } }) => mm.mmapLock.write(() => mm.rmapLock.write(async () => undefined)),
    },
    { driver },
  )
}

export const c05: Claim = {
  id: 'C5',
  title: 'No callback reads the CPU page tables',
  source: 'mail',
  says: `\`rangeFault\` wants the mmap lock. A callback of munmap runs under that lock already, held for write, and would wait for itself; a callback of reclaim runs under the locks by which pages find their mappings, and these come after the mmap lock, so it
would wait for somebody who waits for them. It faults in what is missing, which allocates, which may reclaim a page of this very interval and come back to the user lock that the callback holds.

Nor could it use the answer. Whoever calls it has announced that the entries are about to change, so what it reads is what goes away; and the wait that protects a reader from that, in \`readBegin\`, is for the end of the invalidation that the callback holds up.`,
  variants: [
    variant('right', 'the reader reads; munmap', 'pass', munmapping((world) => new Reading(world))),
    variant('right reclaim', 'the reader reads; reclaim', 'pass', reclaiming((world) => new Reading(world))),
    variant('a', 'a callback takes the mmap lock, which munmap holds', 'LOCKDEP', munmapping((world) => new TakesMmapLock(world))),
    variant('a reclaim', 'a callback takes the mmap lock under the rmap lock', 'LOCKDEP', reclaiming((world) => new TakesMmapLock(world))),
    variant('a deadlock', 'the same, without the lock validator', 'DEADLOCK', reclaiming((world) => new TakesMmapLock(world)), { lockdep: false }),
    variant('b', 'a callback faults pages in, and so allocates', 'LOCKDEP', reclaiming((world) => new Allocates(world))),
    variant('c', 'a callback loops as a reader does', 'LOCKDEP', munmapping((world) => new Loops(world))),
    variant('c hang', 'the same, in a core that does not assert anything', 'HANG', munmapping((world) => new Loops(world), withOperations(Unasserted)), { lockdep: false }),
    variant('d', 'a callback reads without lock or wait', 'STALE', munmapping((world) => new Programs(world))),
  ],
}
