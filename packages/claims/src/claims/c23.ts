import type { Interval, IntervalNotifier } from '@mmu-notifier/core'
import { MmuNotifierError, type Cell } from '@mmu-notifier/kernel'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { collision } from '../collision.ts'
import { Driver } from '../driver.ts'
import type { Stage } from '../scenario.ts'
import { PAGE } from '../world.ts'

/** Releases the user lock between the question and the programming. */
class LockDropped extends Driver {
  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      const retry = await this.lock.with(() => notifier.readRetry(seq))
      if (retry) continue
      await this.lock.lock()
      if (frame !== 0) await this.world.program(page, frame)
      await this.lock.unlock()
      return true
    }
  }
}

/** A device that uses its TLB, which has to be told of each new entry, and flushed when one goes. */
class WithTlb extends Driver {
  readonly tlb: readonly Cell<number>[] = Array.from({ length: this.world.pages }, (_, page) => this.world.kernel.cell(`tlb ${page}`, 0))

  override async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      const frame = await this.world.read(page)
      await this.lock.lock()
      const retry = await notifier.readRetry(seq)
      if (!retry) await this.programAndCommit(page, frame)
      else await this.lock.unlock()
      if (!retry) return true
    }
  }

  /** Ends the section. */
  async programAndCommit(page: number, frame: number): Promise<void> {
    await this.world.program(page, frame)
    await this.commit(page, frame)
    await this.lock.unlock()
  }

  /** The device loads the entry. */
  async commit(page: number, frame: number): Promise<void> {
    await this.tlb[page]?.write(frame)
  }

  override async zap(interval: Interval): Promise<void> {
    await super.zap(interval)
    for (let page = interval.start / PAGE; page * PAGE <= interval.last; page++) await this.tlb[page]?.write(0)
  }

  /** STALE at the end: what the device goes on using. */
  settled(): void {
    this.tlb.forEach((entry, page) => {
      if (entry.value === 0 || this.world.frame(entry.value).value) return
      throw new MmuNotifierError('STALE', `STALE  the TLB maps page ${page} to frame ${entry.value}, which is free`)
    })
  }
}

/** Tells the device when the lock is released already. */
class LateCommit extends WithTlb {
  override async programAndCommit(page: number, frame: number): Promise<void> {
    await this.world.program(page, frame)
    await this.lock.unlock()
    await this.commit(page, frame)
  }
}

const withTlb = (driver: new (world: Stage['world']) => WithTlb): Scenario<Stage<WithTlb>> =>
  collision({ driver: (world) => new driver(world), check: (state) => { state.driver.settled() } })

export const c23: Claim = {
  id: 'C23',
  title: 'From readRetry until the device has the entry it is one section of the user lock',
  source: 'derived',
  says: `To lock for the question and again for the programming is the same as not to lock: the callback comes between the two. The section ends when the *device* has the entry, not when the driver has written it. Hardware that loads entries
by command (a TLB that is told, a page table that is committed) has to be told under the lock too: if the command follows later, it may follow the flush of a callback, which has removed the entry from the page table and from the TLB, and the
entry comes back to stay.`,
  variants: [
    variant('right', 'two device faults and a migration of their page', 'pass', collision()),
    variant('right commit', 'the same with a device that loads the entry under the lock', 'pass', withTlb(WithTlb)),
    variant('a', 'the lock is released between readRetry and the programming', 'STALE', collision({ driver: (world) => new LockDropped(world) })),
    variant('b', 'the device loads the entry when the lock is released', 'STALE', withTlb(LateCommit)),
  ],
}
