import type { InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'
import { unlessRemoved } from './c37.ts'
import { FindsDying, RemovesDying } from './v15.ts'

/** Its end removes what it finds until it finds nothing, and locks the tree anew for each. Its device maps nothing any more. */
class Ending extends Driver {
  async fini(): Promise<void> {
    while (await this.dropOne());
  }

  private async dropOne(): Promise<boolean> {
    const { start, last } = this.world.pagesOf(0, this.world.pages - 1)
    const tree = await this.world.notifiers.lockTree()
    const found = await tree.find(this.ops, start, last)
    await found?.removeDeferred()
    await tree.unlock()
    return found !== undefined
  }
}

/** The same loop in the callback of a munmap; who finds that another one was first looks for the next. */
class EndingInCallback extends Driver {
  override async cut({ tree, start, end }: InvalidateRange): Promise<void> {
    for (let found = await tree.find(this.ops, start, end - 1); found; found = await tree.find(this.ops, start, end - 1)) await unlessRemoved(found.removeDeferred())
  }
}

/** The driver ends while a page is reclaimed, and a reader of its interval, for whom there was nothing to map, gives his reference back. */
function ending(operations?: MakeOperations): Scenario<Stage<Ending>> {
  return stage<Ending>(
    {
      fini: ({ driver }) => driver.fini(),
      reclaim: ({ world }) => world.reclaim(0),
      async reader({ driver, x }) {
        const seq = await x.readBegin()
        await driver.lock.with(() => x.readRetry(seq))
        await x.put()
      },
    },
    { driver: (world: World) => new Ending(world), before: ({ x }) => x.get(), check: ({ world }) => { world.nothingLeft() }, ...(operations && { operations }) },
  )
}

/** A callback and the owner remove the interval. Somebody has a reference, so that to look at it is no question. */
function unmapped(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      munmap: ({ world }) => world.unmap(0),
      owner: ({ x }) => unlessRemoved(x.removeDeferred()),
      async visitor({ world, driver }) {
        const { start, last } = world.pagesOf(0)
        const tree = await world.notifiers.lockTree()
        await tree.find(driver.ops, start, last)
        await tree.unlock()
      },
    },
    { driver: (world: World) => new EndingInCallback(world), before: ({ x }) => x.get(), ...(operations && { operations }) },
  )
}

export const v01: Claim = {
  id: 'V1',
  title: 'find skips what is being removed, so that a loop of find and remove ends',
  source: 'derived',
  says: `A driver that ends finds an interval, removes it, and looks for the next one. As long as an invalidation is under way what it has removed is still in the tree. The posted \`find\` looked at the tree alone, so it returned the same notifier again, and the second removal put on the deferred list what was on it:
a list that leads back to itself. With nothing under way the interval had left the tree before the next look, and the loop was fine.

To refuse the second removal is not enough. A thread then goes round until the invalidation has ended, and a callback for ever, since the tree does not change before it returns. So \`find\` answers as if everything that was asked for had been done.`,
  variants: [
    variant('right', 'a driver removes all that it finds, while its page is reclaimed', 'pass', ending()),
    variant('right callback', 'a callback does', 'pass', unmapped()),
    variant('a', 'find returns what is being removed, and it is removed again', 'CORRUPT', ending(withProtocol(RemovesDying))),
    variant('b', 'find returns what is being removed, a second removal is refused, a callback loops', 'HANG', unmapped(withProtocol(FindsDying))),
  ],
}
