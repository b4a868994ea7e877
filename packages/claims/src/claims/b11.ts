import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { DeviceWorld } from '../device-memory.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** The fault calls the driver for the page whose number it has read. */
class NoReference extends DeviceWorld {
  override async faultPrivate(page: number, entry: number): Promise<'SIGBUS' | 'again'> {
    await this.migrateToRam(page, -entry)
    return 'again'
  }
}

/** It takes its reference when the page-table lock is given back. */
class ReferenceLater extends DeviceWorld {
  protected override async hold(page: number, entry: number): Promise<boolean> {
    if ((await this.ptl.section(() => this.entry(page).value)) !== entry) return false
    this.kernel.note(() => `page ${page} is still ${this.nameOf(entry)}`)
    const { folio, references, self } = this.devicePage(-entry)
    self.use('the fault')
    if (!(await folio.tryLock())) return false
    await references.get()
    return true
  }
}

type Tasks = Scenario<WorldStage<DeviceWorld>>['tasks']

const UNMAPS: Tasks = { munmap: (state) => state.world.unmap(0) }
const ASKS: Tasks = {
  async device({ world, driver, x }) {
    await driver.attempt(x, 0)
    await world.unmap(0)
  },
}

/** The CPU wants a page back, the process unmaps it, for which the device may have asked before, and the driver goes. */
function faulting(world: new (kernel: Kernel) => DeviceWorld, other: Tasks): Scenario<WorldStage<DeviceWorld>> {
  return worldStage((kernel) => new world(kernel), {
    cpu: async (state) => { await state.world.touch(0) },
    ...other,
    remove: (state) => state.world.remove(),
  })
}

export const b11: Claim = {
  id: 'B11',
  title: 'A CPU fault on a page of device memory takes a reference to it under the page-table lock, before the driver is called',
  source: 'mm/memory.c: fix race when faulting a device private page',
  says: `The entry is all that keeps the page: it has its reference. Who has read an entry and given the page-table lock back has a number; the page may be unmapped, or moved by somebody else, and with the last page of its memory the driver goes, whose function is to be called. So the fault
makes sure under that lock that the entry is still there, and takes a reference of its own. It also tries the folio lock there, since whoever moves the page holds it; when it is taken there is nothing to do but to wait, and to look at the entry again.
Without that lock two faults, each with its reference, keep each other from moving the page: that is time, and not shown here, where a page moves in one step.`,
  variants: [
    variant('right', 'folio lock and reference are taken under the page-table lock', 'pass', faulting(DeviceWorld, ASKS)),
    variant('a', 'the driver is called without', 'UAF', faulting(NoReference, UNMAPS)),
    variant('b', 'they are taken after it was given back', 'UAF', faulting(ReferenceLater, UNMAPS)),
  ],
}
