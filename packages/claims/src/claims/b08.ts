import type { IntervalNotifier } from '@mmu-notifier/core'
import { Operations } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** It needs memory for its tables before it programs: in time. */
class AllocatingDriver extends Driver {
  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    await this.allocate()
    return super.fault(notifier, page)
  }

  /** There is memory. */
  protected allocate(): Promise<void> {
    return this.world.kernel.alloc('GFP_KERNEL')
  }
}

/** It allocates under the lock that its callback takes. */
class Late extends AllocatingDriver {
  protected override async allocate(): Promise<void> {
    await this.lock.lock()
    await super.allocate()
    await this.lock.unlock()
  }
}

/** The same where memory is short: the allocation reclaims, a page of this very address space. */
class LateAndShort extends Late {
  protected override async allocate(): Promise<void> {
    await this.lock.lock()
    await this.world.kernel.reclaim(() => this.world.reclaim(1))
    await this.lock.unlock()
  }
}

/** A core that does not tell lockdep that reclaim calls notifiers. */
class Unprimed extends Operations {
  protected override async prime(): Promise<void> {
    // nothing
  }
}

/** Two devices fault, a page is unmapped. Nobody reclaims, unless the driver does. */
function faulting(driver: new (world: World) => Driver, operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      munmap: ({ world }) => world.unmap(0),
      async second({ driver, x }) {
        await driver.fault(x, 1)
      },
    },
    { pages: 2, driver: (world) => new driver(world), ...(operations && { operations }) },
  )
}

export const b08: Claim = {
  id: 'B8',
  title: 'The lock validator has to be told that reclaim calls notifiers',
  source: 'mm/mmu_notifiers: prime lockdep',
  says: `A driver must not allocate, with direct reclaim, under a lock that its callback takes: reclaim may choose a page of that interval, and then waits for the lock that the allocating task holds. It does so only when memory is short, which it never is on a developer's machine. So the
first registration tells the lock validator that reclaim leads to callbacks, as if it had happened; from then on every run reports such a driver, whether or not memory is short. Without that word the same bug passes every test until reclaim really comes.`,
  variants: [
    variant('right', 'the driver allocates before it locks', 'pass', faulting(AllocatingDriver)),
    variant('unprimed', 'the driver is wrong, but the core has not told lockdep, and no memory is short: nothing is found', 'pass', faulting(Late, withOperations(Unprimed))),
    variant('a', 'the driver allocates under its lock; memory is not short', 'LOCKDEP', faulting(Late)),
    variant('b', 'the same, the core has not told lockdep, and memory is short', 'LOCKDEP', faulting(LateAndShort, withOperations(Unprimed))),
  ],
}
