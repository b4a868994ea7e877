import type { Interval, IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Memory } from '@mmu-notifier/kernel'
import type { MakeOperations } from './cores.ts'
import { Driver } from './driver.ts'
import { stage, type Stage } from './scenario.ts'
import type { World } from './world.ts'

/** A driver whose callbacks and release use an object of its own, which its end frees. It holds the address space as long as it lives. */
export class OwnedDriver extends Driver {
  readonly self: Memory = this.world.kernel.memory('the driver')

  override zap(interval: Interval): Promise<void> {
    this.self.use('invalidate')
    return super.zap(interval)
  }

  override release(notifier: IntervalNotifier): Promise<void> | void {
    this.self.use('release')
    return super.release(notifier)
  }

  /** The beginning: our hold of the address space. */
  async init(): Promise<void> {
    await this.world.mm.mmgrab()
  }

  /** The end: removes whatever is registered, waits until it is released, frees itself. */
  async fini(): Promise<void> {
    const { notifiers, mm } = this.world
    await notifiers.removeAll(this.ops)
    await this.drain()
    this.self.free()
    await mm.mmdrop()
  }

  /** Nothing of ours is left when this returns. */
  protected drain(): Promise<void> {
    return this.world.notifiers.synchronize()
  }
}

export interface Ending extends Stage<OwnedDriver> {
  readonly other: Driver
  /** Of the other driver. */
  readonly y: IntervalNotifier
}

/** The driver ends, while its page is reclaimed and the device of another driver asks for the page beside. */
export function ending(
  driver: new (world: World) => OwnedDriver = OwnedDriver,
  { operations, device = async ({ other, y }) => { await other.attempt(y, 1) } }: { readonly operations?: MakeOperations, readonly device?: (state: Ending) => Promise<void> } = {},
): Scenario<Ending> {
  const { setup, check } = stage<OwnedDriver>(
    {},
    {
      pages: 2,
      intervals: [[0, 0]],
      driver: (world) => new driver(world),
      before: ({ driver }) => driver.init(),
      check: ({ world }) => { world.nothingLeft(1) },
      ...(operations && { operations }),
    },
  )
  return {
    async setup(kernel) {
      const state = await setup(kernel)
      const other = new Driver(state.world, 'driver2.lock')
      return { ...state, other, y: await other.insert(1) }
    },
    tasks: {
      fini: ({ driver }) => driver.fini(),
      reclaim: ({ world }) => world.reclaim(0),
      device,
    },
    ...(check && { check }),
  }
}
