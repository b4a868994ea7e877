import { MmuNotifierError } from '@mmu-notifier/kernel'
import type { IntervalNotifier, InvalidateRange } from '@mmu-notifier/core'
import { variant, type Claim } from '../claim.ts'
import { hole, HoleDriver } from '../hole.ts'
import type { Stage } from '../scenario.ts'

/** Shrinks the interval to the left of the hole, and inserts the right, in one section. A reader looks whether its interval still has the page. */
class Updating extends HoleDriver {
  override async split(range: InvalidateRange, found: IntervalNotifier): Promise<void> {
    const [left, right] = found.without(range)
    if (!left || !right) return
    await this.lock.lock()
    await range.tree.batch({ update: [{ notifier: found, interval: left }], insert: [{ interval: right, ops: this.ops }] })
    await this.lock.unlock()
  }

  override async attempt(notifier: IntervalNotifier, page: number): Promise<boolean> {
    const seq = await notifier.readBegin()
    const frame = await this.world.read(page)
    await this.lock.lock()
    const retry = (await notifier.readRetry(seq)) || !this.covers(notifier, page)
    if (!retry && frame !== 0) await this.world.program(page, frame)
    await this.lock.unlock()
    return !retry
  }

  protected covers(notifier: IntervalNotifier, page: number): boolean {
    const { start, last } = this.world.pagesOf(page)
    return notifier.start <= start && last <= notifier.last
  }
}

/** Its reader takes it that the interval has what it had. */
class Trusting extends Updating {
  protected override covers(): boolean {
    return true
  }
}

/** The tree is the same after either: what is left of the hole, and what is right of it. */
async function leftAndRight({ world, driver }: Stage<HoleDriver>): Promise<void> {
  const tree = await world.notifiers.lockTree()
  const intervals: IntervalNotifier[] = []
  let found = await tree.find(driver.ops, 0, world.pagesOf(0, 2).last)
  while (found) {
    intervals.push(found)
    found = await tree.findNext(found, 0, world.pagesOf(0, 2).last)
  }
  await tree.unlock()
  const pages = intervals.map(({ start, last }) => `${start}-${last}`).join(' ')
  const expected = [world.pagesOf(0), world.pagesOf(2)].map(({ start, last }) => `${start}-${last}`).join(' ')
  if (pages !== expected) throw new MmuNotifierError('INVARIANT', `INVARIANT  the tree has ${pages}, not ${expected}`)
}

const survives = (expected: boolean) => async (state: Stage<HoleDriver>): Promise<void> => {
  await leftAndRight(state)
  if (state.x.dying === expected) throw new MmuNotifierError('INVARIANT', `INVARIANT  the interval ${expected ? 'is gone' : 'has survived'}`)
}

export const c12: Claim = {
  id: 'C12',
  title: 'A hole is better expressed as a batch of a removal and two inserts than by an update',
  source: 'mail',
  says: `Either leaves the same tree in every execution: an interval left of the hole, and one right of it. They differ in what becomes of the notifier. In a batch it dies, its owner gets a release for it, and whoever still holds a reference has to look again. With an update it lives on as the left part.

That is what makes an update confusing for a reader. A fault handler that found it when it had the page on the right, and calls \`readBegin\` after the update was applied, gets a number that nothing will ever change, since callbacks come for the left part only. \`readRetry\` cannot tell it; it has to
compare the bounds of its interval with its page, under the user lock, and the update has to be called under that lock too. After a batch no reader has to do anything: it retries for ever and so looks for its interval again.`,
  variants: [
    variant('right', 'a batch: the interval is gone, both parts are new', 'pass', hole((world) => new HoleDriver(world), { check: survives(false) })),
    variant('right update', 'an update and an insert, in one section: the interval is the left part; its reader compares the bounds', 'pass', hole((world) => new Updating(world), { check: survives(true) })),
    variant('a', 'an update and an insert; a reader goes by readRetry alone', 'STALE', hole((world) => new Trusting(world), { check: survives(true) })),
  ],
}
