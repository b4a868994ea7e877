import { NotifiedMm, type IntervalNotifier, type InvalidateFinish, type InvalidateRange, type TreeView } from '@mmu-notifier/core'
import type { Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { LockdepError, type Cell, type Completion } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Looks its interval up under a tree lock of its own. */
class Finding extends Driver {
  /** The tree as others have locked it. */
  readonly tree: Cell<TreeView | undefined>
  /** They have locked it. */
  readonly ready: Completion
  /** Whoever looks has what he looked for. */
  readonly looked: Completion

  constructor(world: World) {
    super(world)
    this.tree = world.kernel.cell<TreeView | undefined>('tree', undefined)
    this.ready = world.kernel.completion('tree locked')
    this.looked = world.kernel.completion('interval found')
  }

  async look(_x: IntervalNotifier): Promise<void> {
    const found = await this.findAndGet(0)
    await this.looked.complete()
    await found?.put()
  }

  protected async findIn(tree: TreeView | undefined): Promise<void> {
    const { start, last } = this.world.pagesOf(0)
    await tree?.find(this.ops, start, last)
  }
}

/** Uses the tree of a callback, when that has returned or from beside it. */
class KeepsTree extends Finding {
  readonly kept: Cell<TreeView | undefined> = this.world.kernel.cell<TreeView | undefined>('tree of a callback', undefined)

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const answer = await super.invalidate(notifier, range, seq)
    await this.kept.write(range.tree)
    return answer
  }

  override async look(): Promise<void> {
    await this.findIn(await this.kept.read())
  }
}

/** Uses the tree that another task has locked. */
class BorrowsTree extends Finding {
  override async look(): Promise<void> {
    await this.findIn(await this.tree.read())
  }
}

/** Looks after it has unlocked. */
class LooksLate extends Finding {
  override async look(): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await tree.unlock()
    await this.findIn(tree)
  }
}

/** Locks the tree of another address space. */
class LocksOther extends Finding {
  readonly #other = new NotifiedMm(this.world.kernel, 'other')

  override async look(x: IntervalNotifier): Promise<void> {
    const tree = await this.#other.notifiers.lockTree()
    await tree.batch({ remove: [x] })
    await tree.unlock()
  }
}

/** Asserts what is cheap: that the sequence is odd, no matter through whom. */
class AssertsOdd extends Finding {
  override async look(x: IntervalNotifier): Promise<void> {
    const { operations } = x as Notifier
    const { start, last } = this.world.pagesOf(0)
    const odd = await operations.lock.section(() => operations.protocol.frozen)
    if (!odd) throw new LockdepError('the tree is not locked')
    const found = await operations.find(this.ops, start, last, undefined)
    await this.looked.complete()
    await found?.get()
  }
}

/** One task locks the tree and removes the interval; another looks it up; a reclaim calls it. With `locked`, the tree is locked by the one as long as the other looks: the cheap assertion holds in every execution. */
function scenario(driver: (world: World) => Finding, { locked = false } = {}): Scenario<Stage<Finding>> {
  return stage<Finding>(
    {
      async control({ world, driver, x }) {
        const tree = await world.notifiers.lockTree()
        await driver.tree.write(tree)
        if (locked) {
          await driver.ready.complete()
          await driver.looked.wait()
        }
        await x.removeDeferred()
        await tree.unlock()
      },
      reclaim: ({ world }) => world.reclaim(0),
      async device({ driver, x }) {
        if (locked) await driver.ready.wait()
        await driver.look(x)
      },
    },
    { driver },
  )
}

export const c11: Claim = {
  id: 'C11',
  title: '"Safe" means that the interval tree is locked for read, which is asserted in the manner of lockdep',
  source: 'mail',
  says: `What may be done only while the tree is locked is offered by the lock alone: by what \`lockTree\` returns, and by \`range.tree\` in a callback. Every call checks that this very lock is held, by the task that makes the call, and for the address space of the notifiers that it is given. So each
wrong use is found in every run in which it happens, whether or not the tree was locked for another reason at that moment.

An assertion that the sequence is odd would be cheaper, and is not enough: it passes because of somebody else's invalidation, whose end frees what was found.`,
  variants: [
    variant('right', 'it locks the tree itself', 'pass', scenario((world) => new Finding(world))),
    variant('right locked', 'the same, while somebody else has locked it too', 'pass', scenario((world) => new Finding(world), { locked: true })),
    variant('a', 'it uses the tree of a callback outside of that', 'LOCKDEP', scenario((world) => new KeepsTree(world))),
    variant('b', 'it uses the tree that somebody else has locked', 'LOCKDEP', scenario((world) => new BorrowsTree(world), { locked: true })),
    variant('c', 'it uses the tree after the unlock', 'LOCKDEP', scenario((world) => new LooksLate(world))),
    variant('d', 'it locks the tree of another address space', 'LOCKDEP', scenario((world) => new LocksOther(world))),
    variant('weak', 'the assertion is that the sequence is odd', 'UAF', scenario((world) => new AssertsOdd(world), { locked: true })),
  ],
}
