import type { Interval, IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { Operations, type Notifier, type Range } from '@mmu-notifier/core/steps'
import type { Cell, Completion, WorkQueue } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Beside, type Stage, type StageOptions } from '../scenario.ts'
import type { World } from '../world.ts'

/** A device that flushes by itself when it is told to, and says when it is done: the callback tells it, and its second pass waits. */
class TwoPass extends Driver {
  readonly flushes: WorkQueue = this.world.kernel.workQueue('device flush')

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    if (!(await this.lock.lockFor(range))) return false
    await notifier.setSeq(seq)
    const flushed = await this.flush(range.within(notifier))
    await this.lock.unlock()
    return () => flushed.wait()
  }

  async flush(interval: Interval): Promise<Completion> {
    const flushed = this.world.kernel.completion('flushed')
    await this.flushes.queue(async () => {
      await this.zap(interval)
      await flushed.complete()
    })
    return flushed
  }
}

/** Tells its readers in the second pass. */
class SetSeqInFinish extends TwoPass {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    if (!(await this.lock.lockFor(range))) return false
    const flushed = await this.flush(range.within(notifier))
    await this.lock.unlock()
    return async () => {
      await this.lock.with(() => notifier.setSeq(seq))
      await flushed.wait()
    }
  }
}

/** Has one place for what the second pass has to wait for, whichever invalidation it belongs to. */
class SharedFinish extends TwoPass {
  readonly pending: Cell<Completion | undefined> = this.world.kernel.cell<Completion | undefined>('driver.flush', undefined)

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    if (!(await this.lock.lockFor(range))) return false
    await notifier.setSeq(seq)
    await this.pending.write(await this.flush(range.within(notifier)))
    await this.lock.unlock()
    return async () => {
      const flushed = await this.pending.update(() => undefined)
      await flushed?.wait()
    }
  }
}

/** The page table is changed first, and the devices are waited for at the end. */
class FinishAtEnd extends Operations {
  readonly #unfinished: Cell<readonly InvalidateFinish[]> = this.kernel.cell<readonly InvalidateFinish[]>('unfinished', [])

  protected override async finish(finishes: readonly InvalidateFinish[]): Promise<void> {
    await this.#unfinished.update((held) => [...held, ...finishes])
  }

  override async end(range: Range): Promise<void> {
    for (const finish of await this.#unfinished.update(() => [])) await finish()
    await super.end(range)
  }
}

/** A fault while the page is migrated and reclaimed. */
const faulting = (options: StageOptions<Driver>): Scenario<Stage> =>
  stage(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      migration: ({ world }) => world.replace(0),
      reclaim: ({ world }) => world.reclaim(0),
    },
    options,
  )

/** A page that the device maps is migrated and reclaimed. */
const overlapping = (driver: (world: World) => Driver, tasks: Scenario<Stage>['tasks'] = {}): Scenario<Stage> =>
  stage(
    {
      migration: ({ world }) => world.replace(0),
      reclaim: ({ world }) => world.reclaim(0),
      ...tasks,
    },
    { driver, before: async (state) => { await state.driver.fault(state.x, 0) } },
  )

/** A device that stops for each invalidation, and goes on in the second pass. */
class Stopping extends Driver {
  /** Complete while the device is neither stopped nor at work. */
  readonly idle: Completion = this.world.kernel.completion('device idle')

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    if (range.blockable) await this.idle.wait()
    else if (!(await this.idle.tryWait())) return false
    if ((await super.invalidate(notifier, range, seq)) !== false) return () => this.idle.complete()
    await this.idle.complete()
    return false
  }

  /** The device does something, which it cannot while it is stopped. */
  async work(): Promise<void> {
    await this.idle.wait()
    await this.idle.complete()
  }
}

/** Two intervals, each with a device: work for that of the first one, a fault of that of the second, whose driver has its lock then; and the OOM reaper. */
function refusing(operations?: StageOptions<Stopping>['operations']): Scenario<Stage<Stopping> & Beside> {
  const { setup, check } = stage<Stopping>(
    {},
    { pages: 2, intervals: [[0, 0]], driver: (world) => new Stopping(world), before: ({ driver }) => driver.idle.complete(), ...(operations && { operations }) },
  )
  return {
    async setup(kernel) {
      const state = await setup(kernel)
      const other = new Driver(state.world, 'driver2.lock')
      return { ...state, other, y: await other.insert(1) }
    },
    tasks: {
      work: ({ driver }) => driver.work(),
      device: async ({ other, y }) => { await other.attempt(y, 1) },
      reaper: ({ world }) => world.reap(0, 1),
    },
    ...(check && { check }),
  }
}

/** Whoever has agreed is forgotten when somebody refuses. */
class NoFinishOnRefusal extends Operations {
  protected override async walk(first: Notifier, range: Range, finishes: InvalidateFinish[]): Promise<boolean> {
    const accepted = await super.walk(first, range, finishes)
    if (!accepted) finishes.length = 0
    return accepted
  }
}

export const c39: Claim = {
  id: 'C39',
  title: 'The second pass of every callback that agreed runs before the page table changes, whatever came of the others',
  source: 'derived',
  says: `In two passes all devices flush at the same time: the first one starts it, the second one waits. So nothing may be freed between the two. A driver that has stopped its device in the first pass sets it going in the second, so this runs
also when a later callback has refused; and since invalidations of an interval overlap, what it waits for belongs to one of them, and not to the interval.

\`setSeq\` belongs to the first pass. Readers are let in between the two, and whoever programs then does it behind the flush.`,
  variants: [
    variant('right', 'a fault and a migration of the page, with a device that flushes by itself', 'pass', faulting({ driver: (world) => new TwoPass(world) })),
    variant('right overlap', 'a migration and a reclaim of a page that it maps, and asks for again', 'pass', overlapping((world) => new TwoPass(world), {
      device: async (state) => { await state.driver.attempt(state.x, 0) },
    })),
    variant('right refusal', 'a device that is stopped meanwhile, and a second one that refuses', 'pass', refusing()),
    variant('a', 'the second pass is left out when somebody refuses', 'HANG', refusing(withOperations(NoFinishOnRefusal))),
    variant('b', 'the page table is changed before the second pass', 'STALE', faulting({ driver: (world) => new TwoPass(world), operations: withOperations(FinishAtEnd) })),
    variant('c', 'two invalidations share what the second pass waits for', 'STALE', overlapping((world) => new SharedFinish(world))),
    variant('d', 'the second pass calls setSeq', 'STALE', faulting({ driver: (world) => new SetSeqInFinish(world) })),
  ],
}
