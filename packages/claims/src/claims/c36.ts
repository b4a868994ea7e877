import type { IntervalNotifier } from '@mmu-notifier/core'
import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import { MmuNotifierError } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol, type MakeOperations } from '../cores.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'

/** Takes a notifier that it has found for the member of an object of its own. */
class Embedding extends Driver {
  override insert(first: number, last: number = first): Promise<IntervalNotifier> {
    return this.world.notifiers.insert(this.world.pagesOf(first, last), this.ops, this)
  }

  async lookUp(page: number): Promise<void> {
    const found = await this.findAndGet(page)
    if (found?.data !== this) throw new MmuNotifierError('CORRUPT', 'CORRUPT  the object around a notifier is that of another driver')
    await found.put()
  }
}

interface Two extends Stage<Embedding> {
  readonly other: Embedding
}

/** Two drivers have intervals over the same page, and look for them; it is moved meanwhile. */
function two(operations?: MakeOperations): Scenario<Two> {
  const { setup, tasks, check } = stage<Embedding>(
    { migration: ({ world }) => world.replace(0) },
    { driver: (world) => new Embedding(world), ...(operations && { operations }) },
  )
  return {
    async setup(kernel) {
      const state = await setup(kernel)
      const other = new Embedding(state.world, 'driver2.lock')
      await other.insert(0)
      return { ...state, other }
    },
    tasks: {
      ...tasks,
      device: ({ driver }) => driver.lookUp(0),
      device2: ({ other }) => other.lookUp(0),
    },
    ...(check && { check }),
  }
}

/** Returns the first notifier, whosever it is. */
class Anybody extends Protocol<Notifier> {
  override find(_ops: unknown, start: number, last: number, after?: Notifier): Notifier | undefined {
    const drivers = new Set([...this.entries, ...this.deferred].map((entry) => entry?.ops))
    const found = [...drivers].map((ops) => super.find(ops, start, last, after)).filter((entry) => entry !== undefined)
    return found.toSorted((a, b) => a.start - b.start || a.id - b.id)[0]
  }
}

export const c36: Claim = {
  id: 'C36',
  title: 'find returns notifiers of the driver that asks',
  source: 'derived',
  says: `There is one tree for an address space, and several drivers hang their intervals into it. What \`find\` returns the driver takes for the member of an object of its own. So it asks for its \`ops\`, whose identity is the driver's: a notifier with other
ops lies in an object of which it knows nothing, and with a size that it does not know.`,
  variants: [
    variant('right', 'two drivers with intervals over one page', 'pass', two()),
    variant('a', 'find returns the first, of whatever driver', 'CORRUPT', two(withProtocol(Anybody))),
  ],
}
