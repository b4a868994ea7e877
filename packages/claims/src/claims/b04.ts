import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { Operations, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { isErrno, MmuNotifierError, type Cell, type Kernel } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { withOperations, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { World } from '../world.ts'

/** It holds the address space, not its users: it goes by the 'release' callback, and does nothing any more behind that. */
class HoldingDriver extends Driver {
  readonly ended: Cell<boolean> = this.world.kernel.cell('the address space has ended', false)

  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    if (range.event === 'release') await this.ended.write(true)
    return super.invalidate(notifier, range, seq)
  }

  /** A device comes to it, with an interval of its own. */
  async open(page: number): Promise<void> {
    let notifier: IntervalNotifier
    try {
      notifier = await this.insert(page)
    } catch (error) {
      if (isErrno(error)) return
      throw error
    }
    await this.fault(notifier, page)
  }

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      await this.lock.lock()
      const retry = await notifier.readRetry(seq)
      const ended = await this.ended.read()
      if (!retry && !ended && frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      if (!retry || ended) return true
    }
  }
}

/** An insert asks whether somebody holds the address space: which he who asks does. */
class AsksHolders extends Operations {
  protected override async enter(notifiers: readonly Notifier[], section: () => Notifier[]): Promise<void> {
    for (const { operations } of notifiers) {
      if (!(await operations.mm.count.getUnlessZero())) throw new MmuNotifierError('EINVAL', `nobody holds ${this.mm.name}`)
    }
    await this.releaseAll(await this.lock.section(() => {
      const released = section()
      this.outstanding += notifiers.length
      return released
    }))
  }
}

/** The address space ends, and its pages are freed, while two devices open it. */
function ending(operations?: MakeOperations): Scenario<{ readonly world: World, readonly driver: HoldingDriver }> {
  return {
    async setup(kernel: Kernel) {
      const world: World = new World(kernel, { pages: 2, teardown: async () => { for (const page of [0, 1]) await world.clear(page) }, ...(operations && { operations }) })
      const driver = new HoldingDriver(world)
      await world.notifiers.registerIntervals()
      await world.mm.mmgrab()
      return { world, driver }
    },
    tasks: {
      exit: ({ world }) => world.mm.mmput(),
      device: ({ driver }) => driver.open(0),
      device2: ({ driver }) => driver.open(1),
    },
    check({ world }) {
      world.quiescent()
    },
  }
}

export const b04: Claim = {
  id: 'B4',
  title: 'An insert asks for users of the address space, not for holders',
  source: 'mmu_interval insert check on mm_count instead of mm_users',
  says: `An address space has users, who keep its mappings, and holders, who keep the structure. When the last user goes, every interval gets its 'release' callback, and then the page tables are freed. So an interval that is inserted after that would never be told anything, and the
insert refuses. The first version asked for holders instead: whoever calls insert is one, so the check never failed. Then a driver that goes by the 'release' callback uses pages that are freed beside it. (One that takes a user while it reads, as it should, is safe from this, but its
registration is of no use.)`,
  variants: [
    variant('right', 'an insert is refused when there are no users', 'pass', ending()),
    variant('a', 'it is refused when there are no holders', 'STALE', ending(withOperations(AsksHolders))),
  ],
}
