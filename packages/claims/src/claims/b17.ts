import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError, type Cell, type Kernel } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { DeviceWorld } from '../device-memory.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** Moves a range to the device in chunks, here of a page. */
class ChunkWorld extends DeviceWorld {
  /** By page: it has been there. */
  readonly arrived: readonly Cell<boolean>[]

  constructor(kernel: Kernel) {
    super(kernel, 2, false)
    this.arrived = this.cpu.map((_, page) => kernel.cell(`page ${page} has moved`, false))
  }

  async bind(first: number, last: number): Promise<void> {
    for (let done = 0; first + done <= last; done++) {
      const page = this.chunk(first, done)
      if (await this.migrateToDevice(page)) await this.arrived[page]?.write(true)
    }
  }

  protected chunk(first: number, done: number): number {
    return first + done
  }

  /** REFUSED: a page that could be moved was left. For `check`. */
  moved(): void {
    const page = this.arrived.findIndex(({ value }) => !value)
    if (page >= 0) throw new MmuNotifierError('REFUSED', `REFUSED  page ${page} was to be moved, and has stayed where it was`)
  }
}

/** The start of the range is not advanced. */
class FirstOnly extends ChunkWorld {
  protected override chunk(first: number): number {
    return first
  }
}

/** A range of two chunks is moved; the device and the CPU use its second half. */
function binding(world: new (kernel: Kernel) => ChunkWorld): Scenario<WorldStage<ChunkWorld>> {
  return worldStage(
    (kernel) => new world(kernel),
    {
      bind: (state) => state.world.bind(0, 1),
      cpu: async (state) => { await state.world.touch(1) },
      device: async ({ driver, x }) => { await driver.attempt(x, 1) },
    },
    (state) => { state.moved() },
  )
}

export const b17: Claim = {
  id: 'B17',
  title: 'A request to move a range moves all of it, chunk by chunk',
  source: 'nouveau/svm: Fix to migrate all requested pages',
  says: `A large range is moved in chunks, for the list of its pages has a limit. When the start is not advanced, the first chunk is moved as often as there are chunks: the second time it finds its pages moved already, which is no error, and the request succeeds. Nothing is wrong with any page, and the
device faults in the rest over the bus. No interleaving is needed for that, and only somebody who looks where the pages are can see it. He has to know who else moves them: the CPU may have taken back what was moved.`,
  variants: [
    variant('right', 'each chunk begins where the last one ended', 'pass', binding(ChunkWorld)),
    variant('a', 'each begins at the start of the range', 'REFUSED', binding(FirstOnly)),
  ],
}
