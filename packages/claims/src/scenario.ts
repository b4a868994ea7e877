import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'
import { Driver } from './driver.ts'
import { World, type WorldOptions } from './world.ts'

export interface Stage<D extends Driver = Driver> {
  readonly world: World
  readonly driver: D
  /** What {@link StageOptions.intervals} asked for, in that order. */
  readonly notifiers: readonly IntervalNotifier[]
  /** The first of them. */
  readonly x: IntervalNotifier
}

export interface StageOptions<D extends Driver> extends WorldOptions {
  /** Default: the canonical {@link Driver}. */
  readonly driver?: (world: World) => D
  /** Pages [first, last] of each interval that is registered at first; the first one is `x`. Default: one over all pages. */
  readonly intervals?: readonly (readonly [first: number, last: number])[]
  /** After the intervals: what else is to be there. */
  readonly before?: (stage: Stage<D>) => Promise<void>
  readonly check?: (stage: Stage<D>) => void | Promise<void>
}

/** A scenario on the smallest address space. At its end, besides `check`, nothing may be odd, active or deferred. */
export function stage<D extends Driver = Driver>(
  tasks: Readonly<Record<string, (stage: Stage<D>) => Promise<void>>>,
  { driver = (world) => new Driver(world) as D, intervals, before, check, ...options }: StageOptions<D> = {},
): Scenario<Stage<D>> {
  return {
    async setup(kernel: Kernel) {
      const world = new World(kernel, options)
      const made = driver(world)
      const notifiers: IntervalNotifier[] = []
      for (const [first, last] of intervals ?? [[0, world.pages - 1]]) notifiers.push(await made.insert(first, last))
      const state = { world, driver: made, notifiers, x: notifiers[0] as IntervalNotifier }
      await before?.(state)
      return state
    },
    tasks,
    async check(state) {
      state.world.quiescent()
      await check?.(state)
    },
  }
}

/** {@link beside}: the reader, and its interval. */
export interface Beside {
  readonly other: Driver
  readonly y: IntervalNotifier
}

/**
 * A scenario, and in it a device of another driver that asks for a page by an interval of its own.
 * @param page which one: an invalidation of the scenario that hits it has to be waited for
 * @param then the task that it goes on with, in place of one more task: more traces than can be explored
 */
export function beside<S extends Stage>({ setup, tasks, check }: Scenario<S>, page: number, then = ''): Scenario<S & Beside> {
  const { [then]: goOn, ...others } = tasks
  return {
    async setup(kernel) {
      const state = await setup(kernel)
      const other = new Driver(state.world, 'driver2.lock')
      return { ...state, other, y: await other.insert(page) }
    },
    tasks: {
      ...others,
      async reader(state, kernel) {
        const { world: { mm }, other, y } = state
        if (await mm.mmget()) {
          await other.attempt(y, page)
          await mm.mmput()
        }
        await goOn?.(state, kernel)
      },
    },
    async check(state, kernel) {
      await state.y.remove()
      await check?.(state, kernel)
    },
  }
}
