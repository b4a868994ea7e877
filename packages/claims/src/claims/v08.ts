import type { IntervalNotifier, IntervalNotifierOps } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { beside, stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** What a release does here it does in the task that ends the period. */
class Releasing extends Driver {
  /** A use of the address space that goes with its interval, if the driver has one. */
  async init(): Promise<void> {
    // has none
  }

  override async release(notifier: IntervalNotifier): Promise<void> {
    await super.release(notifier)
  }
}

/** Looks something up in the address space. */
class TakesMmapLock extends Releasing {
  override async release(notifier: IntervalNotifier): Promise<void> {
    await super.release(notifier)
    await this.world.mm.mmapLock.read(() => this.world.kernel.condResched())
  }
}

/** Needs memory to clean up; there is none, so it reclaims some. */
class Allocates extends Releasing {
  override async release(notifier: IntervalNotifier): Promise<void> {
    await super.release(notifier)
    await this.world.kernel.alloc('GFP_KERNEL')
    await shrink(this.world, 1)
  }
}

/** Its interval is a user of the address space, whom the release gives back. */
class IsUser extends Releasing {
  override async init(): Promise<void> {
    await this.world.mm.mmget()
  }

  override async release(notifier: IntervalNotifier): Promise<void> {
    await super.release(notifier)
    await this.world.mm.mmput()
  }
}

type Make = new (world: World) => Releasing

/** The same driver, with its releases in a worker. */
function inWorker(driver: Make): Make {
  return class extends driver {
    override readonly ops: IntervalNotifierOps = {
      invalidate: (notifier, range, seq) => this.invalidate(notifier, range, seq),
      release: (notifier) => this.release(notifier),
      releaseInWorker: true,
    }
  }
}

/** Direct reclaim of a page, if the reverse mapping still leads to somebody who maps it. That lock is held meanwhile, and keeps the address space. */
function shrink(world: World, page: number): Promise<void> {
  return world.kernel.reclaim(() =>
    world.mm.rmapLock.write(async () => {
      if ((await world.read(page)) !== 0) await world.reclaim(page)
    }))
}

type Task = (stage: Stage<Releasing>) => Promise<void>

/** A page is unmapped by the process. */
const munmap: Task = ({ world }) => world.mm.mmapLock.write(() => world.unmap(1))

/** It moves a mapping: what reclaim looks at is changed under both locks. */
const remap: Task = ({ world: { mm } }) => mm.mmapLock.write(() => mm.rmapLock.write(async () => undefined))

const exit: Task = ({ world }) => world.mm.mmput()

const REMOVES: Readonly<Record<string, Task>> = { control: ({ x }) => x.removeDeferred() }

/** After a last fault, as a user. */
const LAST_FAULT: Readonly<Record<string, Task>> = {
  async device({ driver, x, world: { mm } }) {
    if (await mm.mmget()) {
      await driver.attempt(x, 0)
      await mm.mmput()
    }
    await driver.unmapAndRemove(x)
  },
}

/** The driver removes its interval; a page of it is reclaimed, and the process does something too. */
function removing(driver: Make, process: Task = munmap, owner = REMOVES): Scenario<Stage<Releasing>> {
  let world: World
  return stage<Releasing>(
    {
      ...owner,
      reclaim: (state) => shrink(state.world, 0),
      process,
    },
    {
      pages: 2,
      driver(made) {
        world = made
        return new driver(made)
      },
      // What reclaim finds goes under the lock by which it finds it.
      teardown: () => world.mm.mmapLock.write(() => world.mm.rmapLock.write(() => world.clear(0))),
      before: ({ driver }) => driver.init(),
      check: (state) => { state.world.nothingLeft() },
    },
  )
}

export const v08: Claim = {
  id: 'V8',
  title: 'A release takes no mmap lock, gives no user back and allocates nothing, unless a worker runs it',
  source: 'derived',
  says: `A deferred release runs in the task that ends the period, and with what that holds: the mmap lock if it is a munmap, the lock of the reverse mapping if it is reclaim, which may be an allocation of somebody who knows nothing of the driver. A release that takes the mmap lock waits for its own task, or, under the lock of the reverse mapping, for somebody who has the one and waits for the other (a). One that allocates
reclaims, which takes the lock of the reverse mapping again (b). One that gives back the last user of the address space tears it down there, under a lock that the teardown takes (c). None of it shows when nothing is under way: then the driver runs the release itself, with no other locks than its own.

In a worker each of them is in order. The price is that the driver's end has to wait for the worker: \`synchronize\`. The lock validator reports each; that a task takes a lock twice (b, c) it sees also where the order of locks is not checked.`,
  variants: [
    variant('right', 'the release does nothing of that', 'pass', beside(removing(Releasing), 0, 'process')),
    variant('right exit', 'the same, and the process exits', 'pass', beside(removing(Releasing, exit), 0, 'reclaim')),
    variant('right mmap', 'it takes the mmap lock in a worker', 'pass', beside(removing(inWorker(TakesMmapLock)), 1, 'reclaim')),
    variant('right remap', 'the same, and a mapping is moved', 'pass', beside(removing(inWorker(TakesMmapLock), remap), 0)),
    variant('right alloc', 'it allocates in a worker', 'pass', beside(removing(inWorker(Allocates)), 0, 'process')),
    variant('right user', 'it gives back a user in a worker', 'pass', removing(inWorker(IsUser), exit, LAST_FAULT)),
    variant('a', 'it takes the mmap lock', 'LOCKDEP', removing(TakesMmapLock)),
    variant('a hang', 'the same, a mapping is moved, and nobody checks the order of locks', 'HANG', removing(TakesMmapLock, remap), { lockdep: false }),
    variant('b', 'it allocates', 'LOCKDEP', removing(Allocates)),
    variant('b unchecked', 'the same, and nobody checks the order of locks', 'LOCKDEP', removing(Allocates), { lockdep: false }),
    variant('c', 'it gives back the last user', 'LOCKDEP', removing(IsUser, exit)),
    variant('c unchecked', 'the same, and nobody checks the order of locks', 'LOCKDEP', removing(IsUser, exit), { lockdep: false }),
  ],
}
