import { Operations, Protocol, type Applied, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, withProtocol, type MakeOperations } from '../cores.ts'
import { beside, stage, type Stage } from '../scenario.ts'

/** Applies what was deferred whenever a range ends. */
class EveryEnd extends Protocol<Notifier> {
  override end(): Applied<Notifier> | undefined {
    const last = super.end()
    return last ?? (this.frozen ? this.apply() : undefined)
  }
}

/** The sequence changes, and the list is left for {@link Later.later}. */
class Later extends Protocol<Notifier> {
  later(): Applied<Notifier> {
    return super.apply()
  }

  protected override apply(): Applied<Notifier> {
    return { applied: [], released: [] }
  }
}

/** Applies the list when those who slept were woken. */
class AppliedLater extends Operations {
  protected override createProtocol(): Protocol<Notifier> {
    return new Later(this.kernel.cell('mmu_notifier_seq', 2), this.treeVersion)
  }

  protected override async settle(ended: Applied<Notifier> | undefined): Promise<void> {
    if (!ended) return
    await this.queue.wakeAll()
    const { released } = await this.lock.section(() => (this.protocol as Later).later())
    await this.releaseAll(released)
  }
}

/** The period ends, and the list stays for the next one. */
class NeverApplied extends Protocol<Notifier> {
  protected override apply(): Applied<Notifier> {
    return { applied: [], released: [] }
  }
}

/** An interval is removed, its owner holding on to it, while one invalidation walks over it and another ends. */
function walking(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      owner: ({ x }) => x.removeDeferred(),
      reclaim: ({ world }) => world.unmap(0, 1, 'clear'),
      unrelated: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(2), event: 'clear' }, async () => undefined),
    },
    { pages: 3, intervals: [[0, 0], [1, 1]], ...(operations && { operations }), before: ({ x }) => x.get() },
  )
}

/** An interval is removed, and its owner frees it; a reader of another one waits as well. */
function removing(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      async owner({ x }) {
        await x.remove()
        x.free()
      },
      device: async (state) => { await state.driver.fault(state.notifiers[1] ?? state.x, 1) },
      reclaim: ({ world }) => world.unmap(0, 1, 'clear'),
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], ...(operations && { operations }) },
  )
}

export const c30: Claim = {
  id: 'C30',
  title: 'The deferred list is applied by the last end of a period, in the section that makes the sequence even',
  source: 'derived',
  says: `Not sooner: another invalidation may be walking, and stands on what is erased. Not later: who waits for the end looks at the sequence alone. When it is even he takes his removal for done, frees the notifier, and then the list gets to it. And
not never: while the sequence is even the list is empty, so that whatever looks at the tree then looks at all there is.`,
  variants: [
    variant('right', 'a removal while one invalidation walks and another ends', 'pass', beside(walking(), 1)),
    variant('right remove', 'a synchronous removal, and a reader of another interval', 'pass', removing()),
    variant('a', 'whoever ends applies the list', 'CORRUPT', walking(withProtocol(EveryEnd))),
    variant('b', 'the list is applied when all were woken', 'UAF', removing(withOperations(AppliedLater))),
    variant('c', 'the list is left for the next period', 'QUIESCENT', walking(withProtocol(NeverApplied))),
  ],
}
