import { MmuNotifierError } from '@mmu-notifier/kernel'
import type { IntervalNotifier } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Replaces its interval over three pages by those over the first and the last one, as a batch. */
class Splitting extends Driver {
  async split(x: IntervalNotifier): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await tree.batch({ remove: [x], insert: [0, 2].map((page) => ({ interval: this.world.pagesOf(page), ops: this.ops })) })
    await tree.unlock()
  }
}

/** Three calls, each of which waits until it is done. */
class OneByOne extends Splitting {
  override async split(x: IntervalNotifier): Promise<void> {
    await x.remove()
    await this.insert(0)
    await this.insert(2)
  }
}

/** Three calls that do not wait; the end of a period may fall in between. */
class Deferring extends Splitting {
  override async split(x: IntervalNotifier): Promise<void> {
    await x.removeDeferred()
    await this.insert(0)
    await this.insert(2)
  }
}

/** What is left overlaps with what it replaces for a while. */
class InsertsFirst extends Splitting {
  override async split(x: IntervalNotifier): Promise<void> {
    await this.insert(0)
    await this.insert(2)
    await x.removeDeferred()
  }
}

/** Three calls under one tree lock. */
class UnderOneLock extends Splitting {
  override async split(x: IntervalNotifier): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await x.removeDeferred()
    for (const page of [0, 2]) await tree.batch({ insert: [{ interval: this.world.pagesOf(page), ops: this.ops }] })
    await tree.unlock()
  }
}

type Task = (stage: Stage<Splitting>) => Promise<void>

/** Something else that hits the interval. */
const hit: Task = ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'clear' }, async () => undefined)

const HIT: Readonly<Record<string, Task>> = { other: hit }

/** Somebody looks for an interval of the last page. */
const LOOK: Readonly<Record<string, Task>> = { visitor: async ({ driver }) => { await driver.find(2) } }

/** The device uses the last page, which is reclaimed; something else runs as well, at the end of which what was deferred may be applied. */
function mapped(driver: (world: World) => Splitting, also: typeof LOOK): Scenario<Stage<Splitting>> {
  return stage<Splitting>(
    {
      control: ({ driver, x }) => driver.split(x),
      reclaim: ({ world }) => world.reclaim(2),
      ...also,
    },
    { pages: 3, driver, before: async ({ driver, x }) => { await driver.fault(x, 2) } },
  )
}

/** A fault handler works on the last page, with a reference to the interval that goes, and then does something else. */
function read(driver: (world: World) => Splitting, operations?: MakeOperations, then?: Task): Scenario<Stage<Splitting>> {
  return stage<Splitting>(
    {
      control: ({ driver, x }) => driver.split(x),
      reclaim: ({ world }) => world.reclaim(2),
      async device(state) {
        const { driver, x } = state
        await driver.attempt(x, 2)
        await then?.(state)
      },
    },
    { pages: 3, driver, before: ({ x }) => x.get(), ...(operations && { operations }) },
  )
}

/** A fault handler makes an interval for the last page when it finds none. */
function found(driver: (world: World) => Splitting): Scenario<Stage<Splitting>> {
  return stage<Splitting>(
    {
      control: ({ driver, x }) => driver.split(x),
      async device({ world, driver }) {
        const interval = world.pagesOf(2)
        const tree = await world.notifiers.lockTree()
        if (!(await tree.find(driver.ops, interval.start, interval.last))) await tree.batch({ insert: [{ interval, ops: driver.ops }] })
        await tree.unlock()
      },
      other: hit,
    },
    {
      pages: 3,
      driver,
      async check({ world, driver }) {
        const { start, last } = world.pagesOf(2)
        const tree = await world.notifiers.lockTree()
        const first = await tree.find(driver.ops, start, last)
        const second = first && (await tree.findNext(first, start, last))
        await tree.unlock()
        if (!first || second) throw new MmuNotifierError('INVARIANT', `INVARIANT  ${second ? 'two intervals cover' : 'no interval covers'} the last page`)
      },
    },
  )
}

/** A removal leaves the number of its readers alone. */
class Unmarked extends Protocol<Notifier> {
  protected override retire(entry: Notifier, released: Notifier[]): void {
    const seq = entry.seq.value
    super.retire(entry, released)
    entry.seq.value = seq
  }
}

export const c08: Claim = {
  id: 'C8',
  title: 'What replaces an interval has to replace it at once: one batch, applied in one critical section',
  source: 'mail',
  says: `A hole in an interval is made by its removal and two inserts. Whatever comes between them finds a page that the device uses and no interval that covers it: nobody is called, the page is reclaimed, the device goes on. It does not help that each of the three is deferred
while something runs, since the end of that may fall between two of them. What is needed is that they are applied together: by a batch, or by several calls in one callback or under one tree lock, since the tree does not change before all of them are queued.

The batch adds two things to that. It is done as a whole or refused as a whole. And \`find\`, which answers as if all that was asked for had been done, never sees a part of it: with separate calls another fault handler finds nothing for the last page, and makes a second interval there.

To insert first and remove then leaves no gap, but two intervals over one page: of these the old one may be gone when the page is reclaimed, and its reader would never hear of it. It is safe only because a removal makes the readers of its interval retry for ever.`,
  variants: [
    variant('right', 'a batch; somebody looks for the last page', 'pass', mapped((world) => new Splitting(world), LOOK)),
    variant('d', 'three calls under one tree lock', 'pass', mapped((world) => new UnderOneLock(world), LOOK)),
    variant('right read', 'a batch; somebody reads, and something else hits the interval', 'pass', read((world) => new Splitting(world), undefined, hit)),
    variant('d read', 'three calls under one tree lock; the same', 'pass', read((world) => new UnderOneLock(world), undefined, hit)),
    variant('right overlap', 'inserts before the removal; somebody reads', 'pass', read((world) => new InsertsFirst(world))),
    variant('right find', 'a batch; somebody inserts what he does not find', 'pass', found((world) => new Splitting(world))),
    variant('a', 'removal, insert, insert', 'STALE', mapped((world) => new OneByOne(world), HIT)),
    variant('b', 'removal, insert, insert, of which none waits', 'STALE', mapped((world) => new Deferring(world), HIT)),
    variant('c', 'inserts before the removal, which its readers do not notice', 'STALE', read((world) => new InsertsFirst(world), withProtocol(Unmarked))),
    variant('d find', 'three calls under one tree lock; somebody inserts what he does not find', 'INVARIANT', found((world) => new UnderOneLock(world))),
  ],
}
