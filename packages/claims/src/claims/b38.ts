import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError, type Cell, type Mutex } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** What a word of the array says: going in, that the page is to be faulted in; coming out, that it is there. */
const FLAG = 2 ** 16

/** It has one array for page numbers, which goes from one user to the next as memory does. */
class ScanningDriver extends Driver {
  readonly array: Cell<number> = this.world.kernel.cell('hmm_pfns', 0)
  readonly owner: Mutex = this.world.kernel.mutex('the array')
  /** Pages that were faulted in for a device. */
  readonly faulted: Cell<number> = this.world.kernel.cell('faulted in', 0)

  /** Reads the page table as the word of the array asks, and leaves there what it has found. Linux: `hmm_range_fault()`. */
  protected async rangeFault(page: number): Promise<number> {
    const flags = await this.array.read()
    let frame = await this.world.read(page)
    if (frame === 0 && flags >= FLAG) {
      frame = page + 1 + this.world.pages
      await this.world.entry(page).write(frame)
      await this.faulted.update((held) => held + 1)
    }
    await this.array.write(frame === 0 ? 0 : FLAG + frame)
    return frame
  }

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      await this.owner.lock()
      await this.array.write(FLAG)
      const frame = await this.rangeFault(page)
      await this.owner.unlock()
      await this.lock.lock()
      const retry = await notifier.readRetry(seq)
      if (!retry && frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      if (!retry) return true
    }
  }

  /** Looks which pages are there; none is to be faulted in. INVARIANT */
  async scan(page: number): Promise<void> {
    await this.owner.lock()
    await this.clear()
    const before = await this.faulted.read()
    await this.rangeFault(page)
    if ((await this.faulted.read()) !== before) throw new MmuNotifierError('INVARIANT', `INVARIANT  a scan has faulted page ${page} in`)
    await this.owner.unlock()
  }

  /** An array has in it what its last user left. */
  protected clear(): Promise<void> {
    return this.array.write(0)
  }
}

/** A scan takes the array as it comes. */
class ScansGarbage extends ScanningDriver {
  protected override async clear(): Promise<void> {
    // as it comes
  }
}

/** A fault on one page, a scan of another that is unmapped. */
function scanning(driver: new (world: World) => ScanningDriver): Scenario<Stage<ScanningDriver>> {
  return stage<ScanningDriver>(
    {
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      scan: ({ driver }) => driver.scan(1),
      reclaim: ({ world }) => world.reclaim(1),
    },
    { pages: 2, driver: (world) => new driver(world) },
  )
}

export const b38: Claim = {
  id: 'B38',
  title: 'The array for a range fault is an input: it is cleared before a scan',
  source: 'drm/gpusvm: Zero HMM PFNs before scanning ranges',
  says: `\`rangeFault\` reads the words of its array before it writes them: they ask, page by page, whether to fault in. A driver that only wants to see what is there, and hands in memory as it got it, asks for whatever the memory's last user has left. What came out of that one's range fault
looks much like a request; so pages are faulted in, or made writable, that nobody wanted.`,
  variants: [
    variant('right', 'the scan clears its array', 'pass', scanning(ScanningDriver)),
    variant('a', 'it does not', 'INVARIANT', scanning(ScansGarbage)),
  ],
}
