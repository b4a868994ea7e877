import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { stage, type Stage } from '../scenario.ts'
import { walkOracle } from '../walk-oracle.ts'

/** Born with the even number that the next period ends with. */
class EvenBirth extends Protocol<Notifier> {
  protected override before(seq: number): number {
    return seq + 2
  }
}

/** Born with the number of the address space, which is even: nothing runs. */
class BornNow extends Protocol<Notifier> {
  protected override before(seq: number): number {
    return seq
  }
}

/** Takes no notice of what runs, since nobody walks the tree. */
class PartialAsIdle extends Protocol<Notifier> {
  override insert(entry: Notifier): void {
    if (this.frozen) super.insert(entry)
    else {
      this.enter(entry)
      entry.seq.value = this.before(this.seq.value)
    }
  }
}

/** Puts it into the tree while others walk it. */
class AtOnce extends Protocol<Notifier> {
  override insert(entry: Notifier): void {
    if (!this.frozen) {
      super.insert(entry)
      return
    }
    this.enter(entry)
    entry.seq.value = this.seq.value
  }
}

/** Two intervals that were inserted when nothing ran, and a migration of the page of one of them. */
function idle(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      device2: async (state) => { await state.driver.fault(state.notifiers[1] ?? state.x, 1) },
      migration: ({ world }) => world.replace(1),
    },
    { pages: 2, intervals: [[0, 0], [1, 1]], ...(operations && { operations }) },
  )
}

/** The same, and nobody is called: no interval has the page. */
function quiet(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      device2: async (state) => { await state.driver.fault(state.notifiers[1] ?? state.x, 1) },
      migration: ({ world }) => world.replace(2),
    },
    { pages: 3, intervals: [[0, 0], [1, 1]], ...(operations && { operations }) },
  )
}

/** An insert while a page of it is reclaimed, for which there was no interval yet: nobody is called. */
function partial(operations?: MakeOperations): Scenario<Stage> {
  return stage(
    {
      device: async ({ driver }) => { await driver.fault(await driver.insert(0), 0) },
      device2: async ({ driver, x }) => { await driver.fault(x, 1) },
      reclaim: ({ world }) => world.reclaim(0),
    },
    { pages: 2, intervals: [[1, 1]], ...(operations && { operations }) },
  )
}

/** An insert while an invalidation walks over two others. */
function walking(protocol?: typeof Protocol<Notifier>): Scenario<Stage> {
  return stage(
    {
      owner: async ({ driver }) => { await driver.insert(1) },
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      reclaim: ({ world }) => world.unmap(0, 2, 'clear'),
    },
    { pages: 3, intervals: [[0, 0], [2, 2]], operations: walkOracle(protocol) },
  )
}

export const c29: Claim = {
  id: 'C29',
  title: 'An insert is born with an odd number, and with that of the period if anything runs',
  source: 'derived',
  says: `The number of a new notifier decides whether its first reader waits. An even one is wrong at once or later: the address space has an even sequence while nothing runs, and a reader of a notifier with the same number waits for the end of
nothing.

While anything runs the number must be that of the period, which the insert makes odd if it is not: what runs may be about to change a page of the new interval, and has passed the point where it would be told. And while the tree is walked it does
not go into the tree at all.`,
  variants: [
    variant('right idle', 'two notifiers that were born when nothing ran', 'pass', idle()),
    variant('right quiet', 'the same, and an invalidation of neither', 'pass', quiet()),
    variant('right partial', 'one that is inserted while its page is reclaimed', 'pass', partial()),
    variant('right walking', 'one that is inserted while others are walked', 'pass', walking()),
    variant('a', 'born with a number that is even', 'HANG', idle(withProtocol(EvenBirth))),
    variant('b', 'born as if nothing ran, because nobody walks the tree', 'STALE', partial(withProtocol(PartialAsIdle))),
    variant('c', 'put into the tree although it is frozen', 'CORRUPT', walking(AtOnce)),
    variant('d', 'born with the number that the address space has, and keeps while nobody is called', 'HANG', quiet(withProtocol(BornNow))),
  ],
}
