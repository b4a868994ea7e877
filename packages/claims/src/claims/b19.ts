import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { DeviceWorld } from '../device-memory.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** Waits until its pages come back by themselves. */
class Waits extends DeviceWorld {
  protected override async evict(): Promise<void> {
    // somebody will fault
  }
}

/** Brings its pages back, and does not wait for those who still have one. */
class NoDrain extends DeviceWorld {
  protected override async drain(): Promise<void> {
    // all is evicted
  }
}

/** Leaves them where they are. */
class JustGoes extends DeviceWorld {
  override async remove(): Promise<void> {
    this.pgmap.free()
  }
}

/** A driver goes while its device and the CPU use one of its pages; nobody uses the other. */
function leaving(world: new (kernel: Kernel, pages: number) => DeviceWorld, pages = 2): Scenario<WorldStage<DeviceWorld>> {
  return worldStage((kernel) => new world(kernel, pages), {
    remove: (state) => state.world.remove(),
    cpu: async (state) => { await state.world.touch(0) },
    device: async ({ driver, x }) => { await driver.attempt(x, 0) },
  })
}

export const b19: Claim = {
  id: 'B19',
  title: 'A driver that goes brings back what is in its memory',
  source: 'nouveau/dmem: evict device private memory during release',
  says: `Pages of a running process may be in the memory of a device whose driver is unbound. Their entries name the driver: the next CPU fault calls it. So whoever takes the memory away waits until no page of it is used, and here a wait is not enough. A page that nobody touches never comes
back, and the driver waits for ever (that is what the fix is about; that the CPU faults into a driver that has been freed, as it is also told, needs a driver that does not even wait). So it moves all of them to RAM first. It waits then all the same: a fault under way has a reference, and whoever
gives back the last one calls the driver too.`,
  variants: [
    variant('right', 'every page is brought back, then the driver waits for the last reference', 'pass', leaving(DeviceWorld)),
    variant('a', 'it waits only', 'HANG', leaving(Waits)),
    variant('b', 'it does neither', 'UAF', leaving(JustGoes)),
    variant('c', 'it brings them back and does not wait', 'UAF', leaving(NoDrain, 1)),
  ],
}
