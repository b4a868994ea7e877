import type { Interval, InvalidateRange } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import { IntervalTree } from '@mmu-notifier/interval-tree'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { DataDriver } from '../data-driver.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import { PAGE } from '../world.ts'

/** The interval becomes empty; when everything that leaves has left, what hangs on it is freed. */
function emptied(operations?: MakeOperations): Scenario<Stage<DataDriver>> {
  return stage<DataDriver>(
    {
      async control({ world, driver, x }) {
        const tree = await world.notifiers.lockTree()
        await driver.lock.lock()
        await driver.zap(x)
        await tree.update(x, { start: PAGE, last: PAGE - 1 })
        await driver.lock.unlock()
        await tree.unlock()
        await world.notifiers.synchronize()
        driver.data.free()
      },
      munmap: ({ world }) => world.unmap(0, 1),
      finder: async ({ driver }) => { await driver.find(0) },
    },
    { pages: 2, driver: (world) => new DataDriver(world), ...(operations && { operations }) },
  )
}

/** A munmap of the tail, where nothing is mapped, shrinks the interval in its callback. */
class Shrinking extends Driver {
  override async cut(range: InvalidateRange): Promise<void> {
    const found = await range.tree.find(this.ops, 0, PAGE - 1)
    if (found) await range.tree.update(found, this.world.pagesOf(0))
  }
}

function shrunk(operations?: MakeOperations): Scenario<Stage<Shrinking>> {
  return stage<Shrinking>(
    {
      device: async ({ driver, x }) => { await driver.attempt(x, 0) },
      munmap: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'unmap' }, async () => undefined),
      reclaim: ({ world }) => world.reclaim(0),
    },
    { pages: 2, driver: (world) => new Shrinking(world), before: ({ x }) => x.get(), ...(operations && { operations }) },
  )
}

/** An empty interval is taken for one of a single address. */
class OneByte extends Protocol<Notifier> {
  protected override update(entry: Notifier, { start, last }: Interval, released: Notifier[]): void {
    super.update(entry, { start, last: Math.max(start, last) }, released)
  }
}

/** The branches as the mail has them: what is not empty is removed. */
class Inverted extends Protocol<Notifier> {
  protected override update(entry: Notifier, { start, last }: Interval, released: Notifier[]): void {
    super.update(entry, { start: last + 1, last: start }, released)
  }
}

/** Takes an interval that ends before it starts, and compares as ever: who overlaps both ends finds it. */
class UncheckedTree extends IntervalTree {
  readonly #last = new Map<number, number>()

  override insert(start: number, last: number): number {
    const handle = super.insert(start, Math.max(start, last))
    if (last < start) this.#last.set(handle, last)
    return handle
  }

  override remove(handle: number): void {
    this.#last.delete(handle)
    super.remove(handle)
  }

  override findFirst(start: number, last: number): number {
    return this.#overlapping(super.findFirst(start, last), start, last)
  }

  override findNext(handle: number, start: number, last: number): number {
    return this.#overlapping(super.findNext(handle, start, last), start, last)
  }

  #overlapping(from: number, start: number, last: number): number {
    let handle = from
    while (handle >= 0 && start > (this.#last.get(handle) ?? Infinity)) handle = super.findNext(handle, start, last)
    return handle
  }
}

/** An empty interval goes into the tree as it is. */
class InTree extends Protocol<Notifier> {
  override readonly tree: IntervalTree = new UncheckedTree(4)

  protected override update(entry: Notifier, interval: Interval, released: Notifier[]): void {
    if (interval.start <= interval.last) {
      super.update(entry, interval, released)
      return
    }
    entry.updated.value = interval
    this.defer(entry, 'live')
    entry.seq.value = this.seq.value
  }
}

export const c02: Claim = {
  id: 'C2',
  title: 'An empty interval gets no notification, so an update that makes it empty removes it',
  source: 'mail',
  says: `An update to an interval that ends before it starts is a removal, with all that belongs to it: readers have to retry for ever, the owner's reference is given back, \`release\` tells the owner when he may free it. If it stayed in the
tree as a single address, or with its ends the wrong way round, it would still be called now and then, after its owner has freed what the callback uses. The condition in the mail has its two branches exchanged; taken literally, an update to what a munmap leaves of an
interval removes it, and the page that the device still uses is reclaimed without a word.

An interval with its ends exchanged does not damage the tree: nodes are in order of their starts, and the greatest end below each is still the greatest, so every other interval is found. It is found itself by whoever overlaps both of its ends.`,
  variants: [
    variant('right', 'an update that leaves nothing removes the interval', 'pass', emptied()),
    variant('right rest', 'an update that leaves something does not', 'pass', shrunk()),
    variant('a', 'an empty interval stays, as one address', 'UAF', emptied(withProtocol(OneByte))),
    variant('b', 'the branches of the mail: what is not empty is removed, what is empty inserted', 'STALE', shrunk(withProtocol(Inverted))),
    variant('c', 'an empty interval stays, with its end before its start', 'UAF', emptied(withProtocol(InTree))),
  ],
}
