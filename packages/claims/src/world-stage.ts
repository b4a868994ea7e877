import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'
import { Driver } from './driver.ts'
import type { World } from './world.ts'

export interface WorldStage<W extends World> {
  readonly world: W
  /** The canonical one, with an interval over everything. */
  readonly driver: Driver<W>
  readonly x: IntervalNotifier
}

/** A scenario on a world of its own kind. At its end, besides `check`, nothing may be odd, active or deferred. */
export function worldStage<W extends World>(
  make: (kernel: Kernel) => W,
  tasks: Scenario<WorldStage<W>>['tasks'],
  check?: (world: W) => void,
): Scenario<WorldStage<W>> {
  return {
    async setup(kernel) {
      const world = make(kernel)
      const driver = new Driver(world)
      return { world, driver, x: await driver.insert(0, world.pages - 1) }
    },
    tasks,
    check({ world }) {
      world.quiescent()
      check?.(world)
    },
  }
}
