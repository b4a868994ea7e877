import type { IntervalNotifier, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { MakeOperations } from './cores.ts'
import { Driver } from './driver.ts'
import { stage, type Stage } from './scenario.ts'
import type { World } from './world.ts'

/** A munmap that makes a hole replaces the interval by what is left of it, in its callback. */
export class HoleDriver extends Driver {
  override async cut(range: InvalidateRange): Promise<void> {
    const found = await range.tree.find(this.ops, range.start, range.end - 1)
    if (found) await this.split(range, found)
  }

  async split(range: InvalidateRange, found: IntervalNotifier): Promise<void> {
    const insert = found.without(range).map((interval) => ({ interval, ops: this.ops }))
    await range.tree.batch({ remove: [found], insert })
  }
}

/** One interval over three pages, of which the middle one, where nothing is mapped, is unmapped and the last is reclaimed. A fault handler with a reference to the interval works on the last. */
export function hole<D extends HoleDriver>(
  driver: (world: World) => D,
  { operations, check }: { readonly operations?: MakeOperations; readonly check?: (stage: Stage<D>) => void | Promise<void> } = {},
): Scenario<Stage<D>> {
  return stage<D>(
    {
      device: async ({ driver, x }) => { await driver.attempt(x, 2) },
      munmap: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(1), event: 'unmap' }, async () => undefined),
      reclaim: ({ world }) => world.reclaim(2),
    },
    { pages: 3, driver, before: ({ x }) => x.get(), ...(operations && { operations }), ...(check && { check }) },
  )
}
