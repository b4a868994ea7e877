import type { IntervalNotifier, InvalidateFinish, InvalidateRange, TreeView } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Removes its intervals when the address space ends, and when its file is closed; whichever is first. */
class ClosingDriver extends Driver {
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    const done = await super.invalidate(notifier, range, seq)
    if (range.event === 'release') await this.removeOwn(range.tree)
    return done
  }

  /** Under the user lock, so that nobody else removes what was found. */
  async removeOwn(tree: TreeView): Promise<void> {
    const { start, last } = this.world.pagesOf(0, this.world.pages - 1)
    await this.lock.lock()
    for (let own = await tree.find(this.ops, start, last); own; own = await tree.find(this.ops, start, last)) await own.removeDeferred()
    await this.lock.unlock()
  }

  override release(notifier: IntervalNotifier): Promise<void> | void {
    notifier.free()
    return super.release(notifier)
  }

  /** The file is closed; it has held the address space. */
  async close(_x: IntervalNotifier): Promise<void> {
    const tree = await this.world.notifiers.lockTree()
    await this.removeOwn(tree)
    await tree.unlock()
    await this.world.notifiers.synchronize()
    await this.world.mm.mmdrop()
  }
}

/** At the close it removes the interval that it remembers. */
class Remembers extends ClosingDriver {
  override async close(x: IntervalNotifier): Promise<void> {
    await x.put()
    await super.close(x)
  }
}

/** find returns what is being removed too. */
export class FindsDying extends Protocol<Notifier> {
  override find(ops: unknown, start: number, last: number): Notifier | undefined {
    for (let handle = this.tree.findFirst(start, last); handle >= 0; handle = this.tree.findNext(handle, start, last)) {
      if (this.entries[handle]?.ops === ops) return this.entries[handle]
    }
    return undefined
  }
}

/** The posted version: that, and nothing keeps a second removal away from the list. */
export class RemovesDying extends FindsDying {
  protected override assertNotDying(): void {
    // whoever asks
  }

  protected override defer(entry: Notifier, phase: 'pending' | 'live' | 'dying'): void {
    if (this.deferred.includes(entry)) throw new MmuNotifierError('CORRUPT', 'CORRUPT  a notifier is added to the deferred list, which it is on already')
    super.defer(entry, phase)
  }
}

/** The process exits while the file is closed by somebody else, and a third one uses the address space: whoever is the last user ends it. */
function exitAndClose(driver: new (world: World) => ClosingDriver = ClosingDriver, operations?: MakeOperations): Scenario<Stage<ClosingDriver>> {
  return stage<ClosingDriver>(
    {
      exit: ({ world }) => world.mm.mmput(),
      close: ({ driver, x }) => driver.close(x),
      async visitor({ world }) {
        if (await world.mm.mmget()) await world.mm.mmput()
      },
    },
    {
      driver: (world) => new driver(world),
      before: ({ world }) => world.mm.mmgrab(),
      ...(operations && { operations }),
    },
  )
}

export const v15: Claim = {
  id: 'V15',
  title: 'A driver that removes its intervals at the exit and at the close removes each of them once',
  source: 'derived',
  says: `A driver gets the 'release' callback when the address space ends, and its file is closed, in either order or at the same time. It may remove its intervals in both, if the second looks with \`find\`, which does not return what is being removed, and if the user lock keeps the other away between the finding and the removing. A driver that remembers its
interval instead gives back a reference that it no longer has, of a notifier that may be freed. And where \`find\` returned dying intervals, as in the posted version, the loop "find one, remove it" would find the same one again as long as the tree is frozen, and in the callback it
always is: the second removal adds to the deferred list what is on it already.`,
  variants: [
    variant('right', 'both look for what is still to be removed', 'pass', exitAndClose()),
    variant('a', 'the close puts the interval that the driver remembers', ['REFCOUNT', 'UAF'], exitAndClose(Remembers)),
    variant('b', 'find returns what is being removed (as posted: V1)', 'CORRUPT', exitAndClose(ClosingDriver, withProtocol(RemovesDying))),
  ],
}
