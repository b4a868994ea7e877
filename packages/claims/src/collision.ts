import type { Scenario } from '@mmu-notifier/explore'
import type { Driver } from './driver.ts'
import { stage, type Stage, type StageOptions } from './scenario.ts'

/** The plain collision: two device faults on a page that is moved to another frame at the same time. */
export function collision<D extends Driver = Driver>(options: StageOptions<D> = {}): Scenario<Stage<D>> {
  return stage<D>(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      device2: async ({ driver, x }) => { await driver.fault(x, 0) },
      migration: ({ world }) => world.replace(0),
    },
    options,
  )
}

/** A device fault on a page that two invalidations hit, of which either may be the first and the last. */
export function overlapping<D extends Driver = Driver>(options: StageOptions<D> = {}): Scenario<Stage<D>> {
  return stage<D>(
    {
      device: async ({ driver, x }) => { await driver.fault(x, 0) },
      migration: ({ world }) => world.replace(0),
      reclaim: ({ world }) => world.reclaim(0),
    },
    options,
  )
}
