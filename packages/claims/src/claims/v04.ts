import type { IntervalNotifier } from '@mmu-notifier/core'
import { Operations, Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'

/** Has a release, which frees, and removes one interval by the call that waits: then it frees itself. */
class Both extends Driver {
  async drop(notifier: IntervalNotifier): Promise<void> {
    await notifier.remove()
    notifier.free()
  }

  override release(notifier: IntervalNotifier): void {
    void super.release(notifier)
    notifier.free()
  }
}

/** Whoever has a release is released at the end of the period, by whichever call he was removed. */
class InfersRemoval extends Protocol<Notifier> {
  protected override bury(entry: Notifier, released: Notifier[]): void {
    super.bury(entry, released)
    if (entry.removal === 'sync' && (entry as IntervalNotifier).ops.release) this.release(entry, released)
  }
}

/** The hold of the address space is left to the release where there is one; and on the way on which nothing is deferred, nothing is released. */
class LeavesHold extends Operations {
  override async remove(notifier: Notifier): Promise<void> {
    const period = await this.lock.section(() => this.protocol.remove(notifier))
    if (period !== undefined) await this.periodOver(period)
    this.protocol.removed(notifier)
    this.outstanding--
    if (period === undefined && notifier.ops.release) return
    await this.mm.mmdrop()
  }
}

const REMOVES: Scenario<Stage<Both>>['tasks'] = {
  other: async ({ notifiers: [, y] }) => { await y?.removeDeferred() },
}

/** It has a last device fault before. */
const READS: Scenario<Stage<Both>>['tasks'] = {
  async device({ driver, notifiers: [, y] }) {
    if (!y) return
    await driver.attempt(y, 1)
    await driver.unmapAndRemove(y)
  },
}

/** One interval is removed by each of the two calls, while their pages are taken away. */
function removing(other: typeof REMOVES, operations?: MakeOperations): Scenario<Stage<Both>> {
  return stage<Both>(
    {
      control: ({ driver, x }) => driver.drop(x),
      ...other,
      munmap: ({ world }) => world.unmap(0, 1),
    },
    {
      pages: 2,
      intervals: [[0, 0], [1, 1]],
      driver: (world) => new Both(world),
      check: ({ world }) => { world.nothingLeft() },
      ...(operations && { operations }),
    },
  )
}

export const v04: Claim = {
  id: 'V4',
  title: 'The core notes which call removes an interval, and does not infer it from its ops',
  source: 'derived',
  says: `A driver may have a \`release\` for its asynchronous removals and use \`remove\` for others. The posted version decided at the end of the period: if the ops have a release, it is called. For an interval that was removed by \`remove\` this is wrong twice. The waiter owns the memory when he wakes up, so it is freed by him and by
the release (a). And the address space was given back after a release only; where nothing is deferred \`remove\` takes the interval out by itself, nothing is released, and the address space stays for ever (b).

So each removal has its kind, and \`remove\` is never followed by a release.`,
  variants: [
    variant('right', 'what is removed by remove is not released', 'pass', removing(READS)),
    variant('a', 'at the end of the period it is', 'UAF', removing(REMOVES, withProtocol(InfersRemoval))),
    variant('b', 'the address space is given back by the release, which does not come', 'LEAK', removing(REMOVES, withOperations(LeavesHold))),
  ],
}
