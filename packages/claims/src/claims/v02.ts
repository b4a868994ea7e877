import type { IntervalNotifier, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'
import { Resurrecting, Unasked, unlessRemoved } from './c37.ts'

/** A munmap of the tail shrinks the interval that is called, which its owner may have removed meanwhile. */
class Shrinking extends Driver {
  /** Written before there are tasks. */
  x: IntervalNotifier | undefined

  override async cut(range: InvalidateRange): Promise<void> {
    if (this.x) await unlessRemoved(range.tree.update(this.x, this.world.pagesOf(0)))
  }
}

/** The owner removes the interval, of which the device maps nothing, and waits for its release if he is to; a munmap takes its tail away, and a third one looks for it. */
function removing({ operations, waits = false }: { readonly operations?: MakeOperations; readonly waits?: boolean } = {}): Scenario<Stage<Shrinking>> {
  return stage<Shrinking>(
    {
      async owner({ world, x }) {
        await x.removeDeferred()
        if (waits) await world.notifiers.synchronize()
      },
      munmap: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'unmap' }, () => world.clear(1)),
      async visitor({ world, driver }) {
        const { start, last } = world.pagesOf(0)
        const tree = await world.notifiers.lockTree()
        await tree.find(driver.ops, start, last)
        await tree.unlock()
      },
    },
    {
      pages: 2,
      driver: (world: World) => new Shrinking(world),
      before: async ({ driver, x }) => { driver.x = x },
      check: ({ world }) => { world.nothingLeft() },
      ...(operations && { operations }),
    },
  )
}

export const v02: Claim = {
  id: 'V2',
  title: 'What is being removed is not updated any more',
  source: 'derived',
  says: `A callback of an interval may still come while its removal waits for the end of the period, and a driver that shrinks the interval it was called for asks for an update of it. The posted version did not look whether it was going: it queued the notifier a second time. Had it looked only whether the notifier is queued,
the update would have become what it is queued for, because the kind of the operation was not noted but inferred from the new bounds. Then the removal is forgotten: the interval stays, is called for ever, and its release never comes, so an owner who waits for it never goes on.

So the update fails with ENOENT, in the section that would queue it, and the driver has nothing to do: the rest of its interval is going too.`,
  variants: [
    variant('right', 'an update of what is being removed is refused', 'pass', removing()),
    variant('right wait', 'the same, and the owner waits for the release', 'pass', removing({ waits: true })),
    variant('a', 'it is queued again', 'CORRUPT', removing({ operations: withProtocol(Unasked) })),
    variant('b', 'it takes the place of the removal', 'LEAK', removing({ operations: withProtocol(Resurrecting) })),
    variant('b waits', 'the same, and the owner waits for the release', 'HANG', removing({ operations: withProtocol(Resurrecting), waits: true })),
  ],
}
