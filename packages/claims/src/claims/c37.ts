import type { Interval, IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import { isMmuNotifierError, MmuNotifierError } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage, type StageOptions } from '../scenario.ts'

/** Does not ask whether the notifier is being removed. The list is what it is in C: to queue twice what is in it is what ruins it. */
export class Unasked extends Protocol<Notifier> {
  protected override assertNotDying(_entry: Notifier): void {
    // goes on
  }

  protected override defer(entry: Notifier, phase: 'pending' | 'live' | 'dying'): void {
    if (this.deferred.includes(entry)) throw new MmuNotifierError('CORRUPT', 'CORRUPT  a notifier is added to the deferred list, in which it is')
    super.defer(entry, phase)
  }
}

/** An update turns the removal into a move. */
export class Resurrecting extends Protocol<Notifier> {
  protected override assertNotDying(_entry: Notifier): void {
    // goes on
  }
}

/** ENOENT: somebody else has removed it already. */
export async function unlessRemoved(operation: Promise<void>): Promise<void> {
  try {
    await operation
  } catch (error) {
    if (!isMmuNotifierError(error, 'ENOENT')) throw error
  }
}

const reclaim = ({ world }: Stage): Promise<void> => world.reclaim(0)

/** The process exits, and the file is closed: both remove. A holder keeps the notifier, so that to look at it is no question. */
function twice(operations: MakeOperations): Scenario<Stage> {
  return stage(
    {
      exit: ({ x }) => unlessRemoved(x.removeDeferred()),
      close: ({ x }) => unlessRemoved(x.removeDeferred()),
      reclaim,
    },
    { operations, before: ({ x }) => x.get(), check: gone },
  )
}

/** The interval is removed, and shrunk by somebody who does not know. */
function updated(operations: MakeOperations): Scenario<Stage> {
  return stage(
    {
      close: ({ x }) => unlessRemoved(x.removeDeferred()),
      async munmap({ world, driver, x }) {
        const tree = await world.notifiers.lockTree()
        await driver.lock.with(() => unlessRemoved(tree.update(x, world.pagesOf(0))))
        await tree.unlock()
      },
      reclaim,
    },
    { pages: 2, operations, before: ({ x }) => x.get(), check: gone },
  )
}

/** The holder is a device that works on the page. So who removes takes away what it maps, in the section of the user lock in which its readers are told. */
function reading(tasks: Scenario<Stage>['tasks'], options: StageOptions<Driver>): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver, x }) => { await driver.attempt(x, 0) },
      reclaim,
      ...tasks,
    },
    { ...options, before: ({ x }) => x.get() },
  )
}

const drop = ({ world, driver, x }: Stage): Promise<void> =>
  driver.lock.with(async () => {
    await driver.zap(world.pagesOf(0, world.pages - 1))
    await unlessRemoved(x.removeDeferred())
  })

/** Who gives his reference back has nothing mapped any more. */
async function faultAndPut({ driver, x }: Stage): Promise<void> {
  await driver.attempt(x, 0)
  await driver.zap(x)
  await x.put()
}

/** LEAK: it was removed, and is in the tree. */
async function gone({ world, x }: Stage): Promise<void> {
  const tree = await world.notifiers.lockTree()
  const { start, last }: Interval = world.pagesOf(0, world.pages - 1)
  const found = await tree.find(x.ops, start, last)
  await tree.unlock()
  if (found) throw new MmuNotifierError('LEAK', 'LEAK  an interval that was removed is there')
}

const put = ({ x }: Stage): Promise<void> => x.put()

/** The callback of a munmap shrinks the interval, which may be going. */
class Shrinking extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const answer = await super.invalidate(notifier, range, seq)
    await unlessRemoved(range.tree.update(notifier, this.world.pagesOf(0)))
    return answer
  }
}

/** A page of it is unmapped, on which the device works, and it is removed. */
function shrunk(): Scenario<Stage> {
  return stage(
    {
      close: drop,
      munmap: ({ world }) => world.unmap(1),
      device: async ({ driver, x }) => { await driver.attempt(x, 1) },
    },
    { pages: 2, driver: (world) => new Shrinking(world), before: ({ x }) => x.get(), check: gone },
  )
}

/** Two holders, of whom one gives back more than he has. */
function putting(): Scenario<Stage> {
  return stage(
    {
      async close(state) {
        await put(state)
        await put(state)
      },
      other: put,
      reclaim,
    },
    { before: ({ x }) => x.get() },
  )
}

export const c37: Claim = {
  id: 'C37',
  title: 'An interval is removed once, and nothing is done to one that is going',
  source: 'derived',
  says: `There are several who may remove an interval: a munmap, the end of the process, the file that is closed. Each of them has to learn whether he was the one, so the second gets ENOENT, in the section in which he asked: the notifier may be on the deferred list
already, and to add it again makes a loop of the list. An update of what is going is the same mistake; worse, it may turn the removal into a move, and the interval stays, with an owner who waits for a release that never comes.

\`put\` has no such answer. It gives back what one has, and whoever gives back more takes it from another.`,
  variants: [
    variant('right', 'two remove the same interval, on which a reader works', 'pass', reading({ exit: drop, close: drop }, { check: gone })),
    variant('right update', 'one removes it, one updates it, and a reader works on it', 'pass', shrunk()),
    variant('right put', 'two holders, two puts, one of them by a reader', 'pass', reading({ close: put, device: faultAndPut }, {})),
    variant('a', 'the core does not ask whether it is going: a second removal', 'CORRUPT', twice(withProtocol(Unasked))),
    variant('b', 'the core does not ask whether it is going: an update', 'CORRUPT', updated(withProtocol(Unasked))),
    variant('b lives', 'the same, with a list that knows what is in it: the interval comes back', 'LEAK', updated(withProtocol(Resurrecting))),
    variant('c', 'one holder puts twice', ['REFCOUNT', 'UAF'], putting()),
  ],
}
