import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { Operations, type Notifier } from '@mmu-notifier/core/steps'
import { isMmuNotifierError, type Cell } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage, type StageOptions } from '../scenario.ts'
import type { World } from '../world.ts'

/** A stage whose address space is torn down by `teardown`. */
function exiting<D extends Driver>(
  tasks: Parameters<typeof stage<D>>[0],
  teardown: (world: World) => Promise<void>,
  { driver = (world) => new Driver(world) as D, ...options }: StageOptions<D> = {},
): Scenario<Stage<D>> {
  let world: World
  return stage<D>(tasks, {
    ...options,
    driver: (made) => {
      world = made
      return driver(made)
    },
    teardown: () => teardown(world),
  })
}

/** Frees the pages, and tells nobody: 'release' was for that. */
async function silently(world: World): Promise<void> {
  for (let page = 0; page < world.pages; page++) await world.clear(page)
}

/** Frees them as munmap does. */
const withEvent = (world: World): Promise<void> => world.unmap(0, world.pages - 1)

/** Takes 'release' for the end: from then on it programs nothing. It comes to every interval that was accepted. */
class UntilRelease extends Driver {
  readonly gone: Cell<boolean> = this.world.kernel.cell('driver.gone', false)

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      await this.lock.lock()
      const gone = await this.gone.read()
      const retry = await notifier.readRetry(seq)
      if (!gone && !retry && frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      if (gone || !retry) return !gone
    }
  }

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    if (range.event === 'release') await this.lock.with(() => this.gone.write(true))
    return super.invalidate(notifier, range, seq)
  }
}

/** A driver that inserts its first interval while the process exits; another one has page 1. */
function inserting(operations?: MakeOperations): Scenario<Stage<UntilRelease>> {
  return exiting({ device: insertAndFault, exit: ({ world }) => world.mm.mmput(), reclaim: ({ world }) => world.reclaim(0) }, silently, onePageTaken(operations))
}

/** The same, and that page is reclaimed. */
function deferring(user: boolean): Scenario<Stage<UntilRelease>> {
  return exiting(
    {
      async device(state) {
        if (user && !(await state.world.mm.mmget())) return
        await insertAndFault(state)
        if (user) await state.world.mm.mmput()
      },
      exit: ({ world }) => world.mm.mmput(),
      reclaim: ({ world }) => world.reclaim(1),
    },
    silently,
    onePageTaken(),
  )
}

async function insertAndFault({ driver }: Stage<UntilRelease>): Promise<void> {
  try {
    await driver.fault(await driver.insert(0), 0)
  } catch (error) {
    if (!isMmuNotifierError(error, 'EINVAL')) throw error
  }
}

function onePageTaken(operations?: MakeOperations): StageOptions<UntilRelease> {
  return {
    pages: 2,
    driver: (world) => new UntilRelease(world),
    intervals: [],
    before: async ({ world }) => { await new Driver(world, 'driver2.lock').insert(1) },
    ...(operations && { operations }),
  }
}

/** Accepts an interval of an address space that has no users. */
class AcceptsDead extends Operations {
  protected override async enter(notifiers: readonly Notifier[], section: () => Notifier[]): Promise<void> {
    for (const { operations } of notifiers) await operations.mm.mmgrab()
    const released = await this.lock.section(() => {
      this.outstanding += notifiers.length
      return section()
    })
    await this.releaseAll(released)
  }
}

/** Leaves the last invalidation alone. */
class IgnoresRelease extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    return range.event === 'release' || super.invalidate(notifier, range, seq)
  }
}

/** A device fault, as a user of the address space, while its process exits: whoever is last tears it down. */
function faulting(teardown: (world: World) => Promise<void>, driver?: (world: World) => Driver): Scenario<Stage> {
  return exiting(
    {
      async device(state) {
        if (!(await state.world.mm.mmget())) return
        await state.driver.fault(state.x, 0)
        await state.world.mm.mmput()
      },
      exit: ({ world }) => world.mm.mmput(),
      reclaim: ({ world }) => world.reclaim(0),
    },
    teardown,
    driver && { driver },
  )
}

/** An interval is removed, a page of it reclaimed, and the process exits. */
function removing(operations?: MakeOperations): Scenario<Stage> {
  return exiting(
    {
      owner: ({ x }) => x.removeDeferred(),
      exit: ({ world }) => world.mm.mmput(),
      reclaim: reclaimByHolder,
    },
    silently,
    { before: ({ world }) => world.mm.mmgrab(), ...(operations && { operations }), check: ({ world }) => { world.nothingLeft() } },
  )
}

/** An interval is removed, a device fault of somebody with a reference is under way, and the process exits. */
function leaving(): Scenario<Stage> {
  return exiting(
    {
      owner: ({ driver, x }) => driver.unmapAndRemove(x),
      exit: ({ world }) => world.mm.mmput(),
      async device({ world, driver, x }) {
        if (await world.mm.mmget()) {
          await driver.attempt(x, 0)
          await world.reclaim(0)
          await world.mm.mmput()
        }
        await x.put()
      },
    },
    silently,
    { before: ({ x }) => x.get(), check: ({ world }) => { world.nothingLeft() } },
  )
}

/** What was released keeps the address space. */
class NoDrop extends Operations {
  protected override async released(notifier: Notifier): Promise<void> {
    await this.mm.mmgrab()
    await super.released(notifier)
  }
}

/** What was released gives it back twice. */
class DropsTwice extends Operations {
  protected override async released(notifier: Notifier): Promise<void> {
    await super.released(notifier)
    await this.mm.mmdrop()
  }
}

/** Reclaim comes by the reverse map, so something keeps the address space for it. */
async function reclaimByHolder({ world }: Stage): Promise<void> {
  await world.reclaim(0)
  await world.mm.mmdrop()
}

/** A file that is closed while the process exits and a page of it is read. */
function closing(pinned: boolean): Scenario<Stage> {
  return exiting(
    {
      async close({ world, driver }) {
        await world.notifiers.removeAll(driver.ops)
        await world.notifiers.synchronize()
        if (pinned) await world.mm.mmdrop()
      },
      exit: ({ world }) => world.mm.mmput(),
      async reader({ world, driver, x }) {
        if (await world.mm.mmget()) {
          const seq = await x.readBegin()
          await world.read(0)
          await driver.lock.with(() => x.readRetry(seq))
          await world.mm.mmput()
        }
        await x.put()
      },
    },
    silently,
    {
      async before({ world, x }) {
        await x.get()
        if (pinned) await world.mm.mmgrab()
      },
    },
  )
}

export const c34: Claim = {
  id: 'C34',
  title: 'An address space takes no interval when it has no users, tells all it has before it ends, and stays as long as one is left',
  source: 'derived',
  says: `The end of an address space is one last invalidation, 'release', of everything; then the page tables go. An interval that is accepted afterwards would never hear of it. So an insert looks at the *users*, in the section in which it enters: the mere
existence of the object proves nothing. A driver may leave 'release' alone if the teardown sends an 'unmap' before it frees anything, as Linux does, and only then.

That 'release' comes to every interval is no reason for a reader to do without \`mmget\`: an insert that is deferred by another invalidation is in the tree only when 'release' has gone by. Whoever reads page tables is a user of them.

Each registered interval holds the object, and gives it back when its release has returned: once. Whoever works with the subscriptions beyond the life of his intervals (a file that removes them all, and waits) needs a hold of his own.`,
  variants: [
    variant('right', 'an insert and a fault while the process exits', 'pass', inserting()),
    variant('right user', 'the same by a user of the address space, with an invalidation that defers the insert', 'pass', deferring(true)),
    variant('right fault', 'a fault by a user while the process exits; the pages go silently', 'pass', faulting(silently)),
    variant('right count', 'a removal and a fault while the process exits', 'pass', leaving()),
    variant('right close', 'a file that holds the address space is closed while the process exits', 'pass', closing(true)),
    variant('b', "the driver ignores 'release'; an 'unmap' follows", 'pass', faulting(withEvent, (world) => new IgnoresRelease(world)), { invariants: false }),
    variant('a', 'an insert is accepted without users', 'STALE', inserting(withOperations(AcceptsDead))),
    variant('b silent', "the driver ignores 'release', and nothing follows", 'STALE', faulting(silently, (world) => new IgnoresRelease(world))),
    variant('c', 'a release does not give the address space back', 'LEAK', removing(withOperations(NoDrop))),
    variant('d', 'a release gives it back twice', ['UAF', 'REFCOUNT'], removing(withOperations(DropsTwice))),
    variant('e', 'the file does not hold it', 'UAF', closing(false)),
    variant('f', 'an insert is deferred beyond the release, and its reader is no user', 'STALE', deferring(false)),
  ],
}
