import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError, type Cell, type Kernel, type WorkQueue } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { DeviceWorld } from '../device-memory.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** Its pages are copied by an engine of the device, which may be reset. The page in RAM that they go to had another owner. */
class CopyWorld extends DeviceWorld {
  readonly ram: Cell<'its data' | 'zeros' | 'of another process'> = this.kernel.cell('RAM page', 'of another process')
  readonly engine: WorkQueue = this.kernel.workQueue('copy engine')
  readonly dead: Cell<boolean> = this.kernel.cell('engine dead', false)

  protected override async copy(): Promise<boolean> {
    // Signalled when the engine has done with the copy, in whichever way.
    const fence = this.kernel.completion('copy fence')
    let done = false
    await this.engine.queue(async () => {
      done = !(await this.dead.read())
      this.kernel.note(() => (done ? 'copies' : 'was reset: drops the copy'))
      if (done) await this.ram.write('its data')
      await fence.complete()
    })
    await fence.wait()
    return done
  }

  async reset(): Promise<void> {
    await this.dead.write(true)
    this.kernel.note(() => 'resets the engine')
  }

  /** DATA when that is what somebody else has left in the page. */
  async load(): Promise<void> {
    if (!(await this.touch(0))) return
    await this.entry(0).update((entry) => {
      const data = entry === 0 ? 'nothing' : this.ram.value
      this.kernel.note(() => `CPU: loads ${data}`)
      if (data === 'of another process') throw new MmuNotifierError('DATA', 'DATA  the CPU reads data of another process')
      return entry
    })
  }
}

/** The destination is zeroed before, and the copy believed. */
class Zeroes extends CopyWorld {
  protected override async copy(): Promise<boolean> {
    await this.ram.write('zeros')
    await super.copy()
    return true
  }
}

/** The copy is believed. */
class Believes extends CopyWorld {
  protected override async copy(): Promise<boolean> {
    await super.copy()
    return true
  }
}

/** The CPU reads a page, which has to come back from the device, which is reset; the process unmaps it, and another engine of the device asks for it. */
function resetting(world: new (kernel: Kernel) => CopyWorld): Scenario<WorldStage<CopyWorld>> {
  return worldStage((kernel) => new world(kernel), {
    cpu: (state) => state.world.load(),
    reset: (state) => state.world.reset(),
    munmap: (state) => state.world.unmap(0),
    device: async ({ driver, x }) => { await driver.attempt(x, 0) },
  })
}

export const b18: Claim = {
  id: 'B18',
  title: 'A page that could not be copied back is a SIGBUS, or zeros; never what its destination held before',
  source: 'nouveau/dmem: Fix vulnerability in migrate_to_ram upon copy error',
  says: `The copy is pushed to an engine, and a fence says when the engine has done with it. It says nothing of success: a reset signals all fences. If the fault believes it, the page is mapped into the process with what its last owner has left there. Where the driver learns of the failure, the
fault ends with a SIGBUS and the page stays in the device. nouveau does not learn of it; the repair there is to begin with a page of zeros. That still loses the data of this process without a word, but shows it nobody else's, and that is all that this experiment asks.`,
  variants: [
    variant('right', 'a failed copy is a SIGBUS', 'pass', resetting(CopyWorld)),
    variant('right zeros', 'the destination is zeroed before, as in nouveau', 'pass', resetting(Zeroes)),
    variant('a', 'the fence is taken for a success', 'DATA', resetting(Believes)),
  ],
}
