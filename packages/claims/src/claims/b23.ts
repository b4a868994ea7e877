import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Operations } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel, WorkQueue } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { withOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { Unannotated } from '../unchecked.ts'
import { World } from '../world.ts'

/** Its callback needs a user of the address space for a moment, and may be left with the last one. */
class UsingDriver extends Driver {
  readonly worker: WorkQueue = this.world.kernel.workQueue('svm_range_deferred')

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const { mm } = this.world
    const used = await mm.mmget()
    const done = await super.invalidate(notifier, range, seq)
    if (used) await this.giveBack()
    return done
  }

  /** A worker does it. Linux: `mmput_async()`. */
  protected giveBack(): Promise<void> {
    return this.worker.queue(() => this.world.mm.mmput())
  }
}

/** The callback does it. */
class PutsInCallback extends UsingDriver {
  protected override giveBack(): Promise<void> {
    return this.world.mm.mmput()
  }
}

/** The same, without mmput's own assertion. */
class PutsUnasserted extends UsingDriver {
  protected override async giveBack(): Promise<void> {
    const { mm, teardown } = this.world as ExitWorld
    if (!(await mm.users.put())) return
    await mm.notifiers.release()
    await teardown()
    await mm.mmdrop()
  }
}

/** The end of the address space closes the driver's file, which removes the interval. */
class ExitWorld extends World {
  readonly teardown: () => Promise<void>

  constructor(kernel: Kernel, operations: ((...args: ConstructorParameters<typeof Operations>) => Operations) | undefined, teardown: () => Promise<void>) {
    super(kernel, { teardown, ...(operations && { operations }) })
    this.teardown = teardown
  }
}

interface State {
  readonly world: World
  readonly driver: Driver
  readonly x: IntervalNotifier
}

/** The process exits while its page is reclaimed, and a device asks for it. */
function exiting(driver: new (world: World) => UsingDriver, core?: new (...args: ConstructorParameters<typeof Operations>) => Operations): Scenario<State> {
  return {
    async setup(kernel) {
      const close = async (): Promise<void> => { await x.remove() }
      const world = new ExitWorld(kernel, core && withOperations(core), close)
      const made = new driver(world)
      const x = await made.insert(0)
      await world.mm.mmgrab()
      return { world, driver: made, x }
    },
    tasks: {
      exit: ({ world }) => world.mm.mmput(),
      async reclaim({ world }) {
        await world.reclaim(0)
        await world.mm.mmdrop()
      },
      async device({ world, driver, x }) {
        if (!(await world.mm.mmget())) return
        await driver.attempt(x, 0)
        await world.mm.mmput()
      },
    },
    check({ world }) {
      world.quiescent()
      world.nothingLeft()
    },
  }
}

export const b23: Claim = {
  id: 'B23',
  title: 'No callback gives a user of the address space back',
  source: "drm/amdkfd: Don't call mmput from MMU notifier callback",
  says: `A callback that takes a user of the address space may be the last to give it back, when the process exits meanwhile. Then the address space ends inside of the callback: everything is unmapped, the file is closed, and the close removes the interval, which waits for the end of the
invalidation whose callback is waiting. So a callback leaves the last step to a worker. The assertion of \`mmput\` says so in every run; without it, and without the annotation of the wait, the task hangs in the one order that matters.`,
  variants: [
    variant('right', 'a worker gives the user back', 'pass', exiting(UsingDriver)),
    variant('a', 'the callback does', 'LOCKDEP', exiting(PutsInCallback)),
    variant('a without lockdep', 'the same, with nothing that looks out for it', 'HANG', exiting(PutsUnasserted, Unannotated), { lockdep: false }),
  ],
}
