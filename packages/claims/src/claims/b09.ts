import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { DeviceWorld } from '../device-memory.ts'
import { Driver } from '../driver.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** The driver of another device, which cannot reach the memory of the first: it asks for the page as the CPU does. */
class OtherDriver extends Driver<DeviceWorld> {
  protected override async read(page: number): Promise<number> {
    for (;;) {
      const entry = await super.read(page)
      if (entry >= 0) return entry
      await this.foreign(page, entry)
    }
  }

  protected async foreign(page: number, entry: number): Promise<void> {
    await this.world.faultPrivate(page, entry)
  }
}

/** It takes an entry that it does not know for a mistake of the user. */
class Refuses extends OtherDriver {
  protected override async foreign(page: number): Promise<void> {
    throw new MmuNotifierError('REFUSED', `REFUSED  EFAULT for page ${page}, which the process has`)
  }
}

interface State extends WorldStage<DeviceWorld> {
  readonly other: OtherDriver
  readonly y: IntervalNotifier
}

/** Two devices and the CPU want a page that is in the memory of the first. */
function foreign(driver: new (world: DeviceWorld, lockClass: string) => OtherDriver): Scenario<State> {
  const { setup, check } = worldStage((kernel) => new DeviceWorld(kernel), {})
  return {
    async setup(kernel) {
      const state = await setup(kernel)
      const other = new driver(state.world, 'driver2.lock')
      return { ...state, other, y: await other.insert(0) }
    },
    tasks: {
      async device(state) {
        await state.driver.attempt(state.x, 0)
      },
      async device2({ other, y }) {
        await other.attempt(y, 0)
      },
      async cpu({ world }) {
        await world.touch(0)
      },
    },
    ...(check && { check }),
  }
}

export const b09: Claim = {
  id: 'B9',
  title: 'A device that faults on a page in the memory of another one gets it, by way of RAM',
  source: 'mm/hmm: fault non-owner device private entries',
  says: `An entry that names a page of device memory is present for the device that owns the memory, and for nobody else. For the CPU that is a fault which brings the page back, and so it is for another device: the range fault has the page brought back and reads the entry again. The callback of the
first device runs meanwhile, in the middle of the second one's fault, and its own number changes too if its interval is hit; so the fault holds no lock while it waits for that.

If such an entry is an error instead, a program fails or not by where its page happens to be: if the CPU came first, there is nothing to be seen.`,
  variants: [
    variant('right', 'the page is brought back, and the range fault goes on', 'pass', foreign(OtherDriver)),
    variant('a', 'it ends with EFAULT', 'REFUSED', foreign(Refuses)),
  ],
}
