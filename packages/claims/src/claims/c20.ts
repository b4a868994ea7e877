import type { Interval, IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Gfp, Mutex } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { Pressure } from '../pressure.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Needs memory for each callback (to note what it has taken away, say); its faults get theirs before anything is locked. */
class Allocating extends Driver {
  readonly memory: Pressure = new Pressure(this.world)
  /** How the callback allocates. */
  readonly gfp: Gfp = 'GFP_NOWAIT'

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    await this.memory.alloc('GFP_KERNEL')
    return super.fault(notifier, page)
  }

  /** There may be none: then it does without. */
  override async zap(interval: Interval): Promise<void> {
    await this.memory.alloc(this.gfp)
    await super.zap(interval)
  }
}

/** May reclaim under the user lock. */
class UnderLock extends Allocating {
  override readonly gfp: Gfp = 'GFP_KERNEL'
}

/** Asks for no I/O, which is not what it has to fear. */
class NoIo extends Allocating {
  override readonly gfp: Gfp = 'GFP_NOIO'
}

/** Allocates before it takes the user lock. */
class BeforeLock extends Driver {
  readonly memory: Pressure = new Pressure(this.world)

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    await this.memory.alloc('GFP_KERNEL')
    return super.invalidate(notifier, range, seq)
  }
}

/** Two device faults that allocate, and a munmap of the page that they reclaim. */
const allocating = (driver: (world: World) => Driver): Scenario<Stage> =>
  stage(
    {
      device: async (state) => { await state.driver.fault(state.x, 0) },
      device2: async (state) => { await state.driver.attempt(state.x, 0) },
      munmap: ({ world }) => world.unmap(0),
    },
    { driver },
  )

/** Programs the device under a second lock, which others hold too. */
export class TwoLocks extends Driver {
  readonly memory: Pressure = new Pressure(this.world)
  /** Inside of the user lock; no callback takes it. */
  readonly vmm: Mutex = this.world.kernel.mutex('vmm.lock')

  override map(page: number, frame: number): Promise<void> {
    return this.vmm.with(() => super.map(page, frame))
  }

  /** Something else that the lock is for, and that needs memory. */
  async grow(): Promise<void> {
    await this.memory.alloc('GFP_KERNEL')
    await this.vmm.with(async () => undefined)
  }
}

/** Allocates under the second lock. */
export class GrowUnderLock extends TwoLocks {
  override async grow(): Promise<void> {
    await this.vmm.with(async () => { await this.memory.alloc('GFP_KERNEL') })
  }
}

const growing = (driver: (world: World) => TwoLocks): Scenario<Stage<TwoLocks>> =>
  stage(
    {
      device: async (state) => { await state.driver.fault(state.x, 0) },
      grow: (state) => state.driver.grow(),
      munmap: ({ world }) => world.unmap(0),
    },
    { driver },
  )

export const c20: Claim = {
  id: 'C20',
  title: 'A callback does not allocate with GFP_KERNEL, and nothing does under a lock that callbacks wait for',
  source: 'mail',
  says: `When there is no memory, whoever allocates reclaims some: he takes a page away from an address space, and that calls its notifiers. A callback that allocates so may be called in its own midst, and its lock is taken. \`GFP_NOIO\` does not
help, since anonymous pages are unmapped for it too; to release the lock first does not either, for the rule is about the callback: reclaim waits for it, so it does not wait for reclaim. What is left is memory that was allocated before, and
\`GFP_NOWAIT\` with a way to go on without.

The same happens at a distance: a lock that is taken inside of the user lock, and held elsewhere over an allocation, closes the circle by two tasks. The lock validator knows both from the first registration on, without any shortage.`,
  variants: [
    variant('right', 'the callback allocates without reclaim, the fault before it locks', 'pass', allocating((world) => new Allocating(world))),
    variant('right lock', 'a second lock, under which nothing is allocated', 'pass', growing((world) => new TwoLocks(world))),
    variant('a', 'the callback allocates under the user lock', 'LOCKDEP', allocating((world) => new UnderLock(world))),
    variant('a recurs', 'the same, and nobody checks the order of locks: the callback is entered again', 'LOCKDEP', allocating((world) => new UnderLock(world)), { lockdep: false }),
    variant('b', 'a lock inside of the user lock is held over an allocation', 'LOCKDEP', growing((world) => new GrowUnderLock(world))),
    variant('b hangs', 'the same, and nobody checks the order of locks', 'DEADLOCK', growing((world) => new GrowUnderLock(world)), { lockdep: false }),
    variant('c', 'the callback allocates before it locks', 'LOCKDEP', allocating((world) => new BeforeLock(world))),
    variant('d', 'the callback allocates with GFP_NOIO', 'LOCKDEP', allocating((world) => new NoIo(world))),
  ],
}
