import { NotifiedMm, type IntervalNotifier, type InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { hole, HoleDriver } from '../hole.ts'
import { stage, type Stage } from '../scenario.ts'
import { Unasserted } from '../unasserted.ts'
import type { World } from '../world.ts'

/** The interval is made where the device fault is handled. */
function faulting(): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver }) => { await driver.attempt(await driver.insert(0), 0) },
      reclaim: ({ world }) => world.reclaim(0),
      munmap: ({ world }) => world.unmap(1),
    },
    { pages: 2, intervals: [[1, 1]] },
  )
}

/** Its callback inserts what a hole leaves by plain inserts. */
class Inserts extends HoleDriver {
  override async split(range: InvalidateRange, found: IntervalNotifier): Promise<void> {
    await found.removeDeferred()
    for (const interval of found.without(range)) await this.world.notifiers.insert(interval, this.ops)
  }
}

/** A driver with two address spaces: what a callback of one takes away is given to the other, where it has had no interval yet. */
class Mirror extends Driver {
  readonly other: NotifiedMm

  constructor(world: World, operations?: MakeOperations) {
    super(world)
    this.other = new NotifiedMm(world.kernel, 'other', operations && { operations })
  }

  override async zap(interval: { readonly start: number; readonly last: number }): Promise<void> {
    await super.zap(interval)
    await this.other.notifiers.insert(interval, this.ops)
  }

  /** A device fault of the other process that is resolved under its mmap lock. */
  async otherFault(): Promise<void> {
    await this.other.mmapLock.read(() => this.lock.with(() => this.world.kernel.condResched()))
  }
}

/** The same, which inserts where the fault is handled. */
class MirrorOnFault extends Mirror {
  override zap(interval: { readonly start: number; readonly last: number }): Promise<void> {
    return this.world.zap(interval)
  }

  override async otherFault(): Promise<void> {
    await this.other.notifiers.insert(this.world.pagesOf(0), this.ops)
    await super.otherFault()
  }
}

function mirrored(driver: (world: World) => Mirror): Scenario<Stage<Mirror>> {
  return stage<Mirror>(
    {
      device: ({ driver }) => driver.otherFault(),
      reclaim: ({ world }) => world.reclaim(0),
      reader: async ({ driver, x }) => { await driver.fault(x, 0) },
    },
    { driver },
  )
}

export const c06: Claim = {
  id: 'C6',
  title: 'There is no reason to create an interval in a callback: create it where the CPU page tables are read, where the mmap lock may be taken',
  source: 'mail',
  says: `\`insert\` may be the first one of its address space, and then it takes the mmap lock for write. The handler of a device fault can do so, as it takes that lock to read the page tables anyway. A callback cannot, because it runs under it, or
under locks that come after it. What makes this a trap is that an insert into the address space of the callback always works: that one has an interval already, so no lock is taken. Hence \`insert\` tells lockdep each time what it might take, and refuses to run in a callback at all.
What a callback does need, intervals for what a munmap has left, it makes with \`range.tree.batch\`.

The deadlock is there for a driver that serves two address spaces: a callback of one inserts into the other, which has had no interval, and waits for its mmap lock, whose holder waits for the user lock of the callback.`,
  variants: [
    variant('right', 'the fault handler inserts', 'pass', faulting()),
    variant('right batch', 'a callback makes what a munmap has left by a batch', 'pass', hole((world) => new HoleDriver(world))),
    variant('right other', 'the fault handler of the other address space inserts there', 'pass', mirrored((world) => new MirrorOnFault(world))),
    variant('unseen', 'a callback inserts into its own address space, in a core that does not assert anything', 'pass', hole((world) => new Inserts(world), { operations: withOperations(Unasserted) }), { invariants: false }),
    variant('a', 'a callback inserts', 'LOCKDEP', hole((world) => new Inserts(world))),
    variant('b', 'a callback inserts into another address space, in a core that does not assert anything', 'DEADLOCK', mirrored((world) => new Mirror(world, withOperations(Unasserted))), { lockdep: false }),
  ],
}
