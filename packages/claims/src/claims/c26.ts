import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Cell } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { collision } from '../collision.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Calls setSeq with what {@link OtherSeq.instead} makes of the number. */
abstract class OtherSeq extends Driver {
  abstract instead(seq: number): number | Promise<number>

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const other = this.instead(seq)
    return super.invalidate(notifier, range, typeof other === 'number' ? other : await other)
  }
}

/** The number that the period will end with: "done". */
class Even extends OtherSeq {
  override instead(seq: number): number {
    return seq + 1
  }
}

/** The number that the notifier was born with. */
class Constant extends OtherSeq {
  override instead(): number {
    return 1
  }
}

/** A counter of the driver's own. */
class OwnCounter extends OtherSeq {
  readonly counter: Cell<number>

  constructor(world: World) {
    super(world)
    this.counter = world.kernel.cell('driver.seq', 1)
  }

  override async instead(): Promise<number> {
    return (await this.counter.update((held) => held + 1)) + 1
  }
}

/** Two device faults when the page has been moved once, and nothing runs any more. */
const afterwards = (driver: (world: World) => Driver): Scenario<Stage> =>
  stage(
    {
      device: async (state) => { await state.driver.fault(state.x, 0) },
      device2: async (state) => { await state.driver.fault(state.x, 0) },
    },
    { driver, before: ({ world }) => world.replace(0) },
  )

export const c26: Claim = {
  id: 'C26',
  title: 'setSeq gets the number that the callback got',
  source: 'derived',
  says: `The number has two readers. \`readRetry\` asks whether it has changed since \`readBegin\`; \`readBegin\` asks whether it is that of the period that runs. Any new number answers the first question right. Only the odd number of this period
answers the second: with another one a reader does not wait, reads entries that are about to change, and no further callback tells it, so its \`readRetry\` says that all is well.

An even number is worse: the address space *is* even when nothing runs. As soon as its sequence is that number, \`readBegin\` waits for the end of an invalidation that does not exist.`,
  variants: [
    variant('right', 'two device faults and a migration of their page', 'pass', collision()),
    variant('right idle', 'two device faults after the migration', 'pass', afterwards((world) => new Driver(world))),
    variant('a', 'the next even number: a reader meanwhile does not wait, one afterwards waits for ever', ['STALE', 'HANG'], collision({ driver: (world) => new Even(world) })),
    variant('b', 'the same, with nobody but readers afterwards', 'HANG', afterwards((world) => new Even(world))),
    variant('c', 'always the same number', 'STALE', collision({ driver: (world) => new Constant(world) })),
    variant('d', 'a counter of its own', 'STALE', collision({ driver: (world) => new OwnCounter(world) })),
  ],
}
