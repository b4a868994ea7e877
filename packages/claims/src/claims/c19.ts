import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Its callback looks at the interval beside the one that is called, without a reference. */
class Looking extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const { start, last } = this.world.pagesOf(1)
    const other = await range.tree.find(this.ops, start, last)
    const answer = await super.invalidate(notifier, range, seq)
    await other?.checkRetry(seq)
    return answer
  }

  /** A munmap of page 0. */
  munmap(): Promise<void> {
    return this.world.unmap(0)
  }
}

/** Looks again when its callback has returned and the invalidation has ended. */
class Remembering extends Looking {
  /** By task: nothing that others see. */
  #found: IntervalNotifier | undefined

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const { start, last } = this.world.pagesOf(1)
    this.#found = await range.tree.find(this.ops, start, last)
    return super.invalidate(notifier, range, seq)
  }

  override async munmap(): Promise<void> {
    await super.munmap()
    await this.#found?.checkRetry(0)
  }
}

/** An invalidation does not freeze the tree. */
class Thawed extends Protocol<Notifier> {
  protected override freeze(): void {
    // stays even
  }
}

function scenario(driver: (world: World) => Looking, operations?: MakeOperations): Scenario<Stage<Looking>> {
  return stage<Looking>(
    {
      munmap: ({ driver }) => driver.munmap(),
      control: async ({ notifiers: [, y] }) => { await y?.removeDeferred() },
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], driver, ...(operations && { operations }) },
  )
}

export const c19: Claim = {
  id: 'C19',
  title: 'A callback has the tree locked as find has',
  source: 'mail',
  says: `The invalidation that calls has frozen the tree, so \`range.tree\` is a tree lock that is held already. Everything in the tree stays until the callback returns, also intervals whose removal others ask for meanwhile, and a callback looks at any of them without a reference. What it wants to keep beyond its end it has to count, as anybody else.`,
  variants: [
    variant('right', 'a callback looks at another interval, which is being removed', 'pass', scenario((world) => new Looking(world)), { invariants: false }),
    variant('a', 'it looks again when the invalidation has ended', 'UAF', scenario((world) => new Remembering(world))),
    variant('b', 'an invalidation does not freeze the tree', ['UAF', 'HANG'], scenario((world) => new Looking(world), withProtocol(Thawed))),
  ],
}
