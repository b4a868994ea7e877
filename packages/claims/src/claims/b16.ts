import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError, type Completion, type Refcount } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Driver } from '../driver.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'

/** Atomics: the device has a page for itself, which it gets with its folio locked and a reference; both are held until the device is programmed. */
class AtomicDriver extends Driver {
  /** A bit of the page: it has no owner that a validator could know. */
  readonly folio: Completion = this.world.kernel.completion('folio lock')
  /** One is that of whoever mapped the page. */
  readonly references: Refcount = this.world.kernel.refcount('references of the page', 1)

  /** Its own doing does not concern it. */
  override async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    return range.event === 'exclusive' && range.owner === this ? true : super.invalidate(notifier, range, seq)
  }

  /** @returns false when somebody has the page locked, so that it cannot be had for now */
  async atomic(notifier: IntervalNotifier): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      if (!(await this.makeExclusive())) return false
      const frame = await this.read(0)
      await this.lock.lock()
      const retry = await notifier.readRetry(seq)
      if (!retry && frame !== 0) await this.map(0, frame)
      await this.lock.unlock()
      if (!retry) {
        await this.letGo()
        return true
      }
      await this.again()
    }
  }

  /** Linux: `make_device_exclusive()`. */
  protected async makeExclusive(): Promise<boolean> {
    if (!(await this.tryLockFolio())) return false
    await this.references.get()
    this.world.kernel.note(() => 'get page 0')
    await this.world.notifiers.invalidate({ ...this.world.rangeOf(0), event: 'exclusive', owner: this }, async () => undefined)
    return true
  }

  protected async letGo(): Promise<void> {
    await this.unlockFolio()
    await this.references.put()
    this.world.kernel.note(() => 'put page 0')
  }

  /** Before the next turn. */
  protected again(): Promise<void> {
    return this.letGo()
  }

  /** Reclaim, which has the folio locked, and frees the page if nobody else has it. */
  async reclaim(): Promise<void> {
    await this.folio.wait()
    this.world.kernel.note(() => 'folio of page 0 locked')
    await this.world.reclaim(0)
    await this.unlockFolio()
  }

  protected async tryLockFolio(): Promise<boolean> {
    const got = await this.folio.tryWait()
    this.world.kernel.note(() => `folio of page 0 ${got ? 'locked' : 'is locked already'}`)
    return got
  }

  async unlockFolio(): Promise<void> {
    await this.folio.complete()
    this.world.kernel.note(() => 'folio of page 0 unlocked')
  }
}

/** It goes on as if it had nothing. */
class KeepsLock extends AtomicDriver {
  protected override async again(): Promise<void> {
    // the next turn gets its own
  }
}

/** It unlocks the folio, and keeps its reference. */
class KeepsReference extends AtomicDriver {
  protected override again(): Promise<void> {
    return this.unlockFolio()
  }
}

/** A device wants a page for itself that is write-protected meanwhile, and reclaimed. */
function exclusive(driver: new (world: World) => AtomicDriver): Scenario<Stage<AtomicDriver>> {
  return stage<AtomicDriver>(
    {
      device: async (state) => { await state.driver.atomic(state.x) },
      mprotect: ({ world }) => world.notifiers.invalidate({ ...world.rangeOf(0), event: 'protectionVma' }, async () => undefined),
      reclaim: (state) => state.driver.reclaim(),
    },
    {
      driver: (world) => new driver(world),
      before: (state) => state.driver.unlockFolio(),
      check({ driver: { references } }) {
        if (references.value !== 1) throw new MmuNotifierError('LEAK', `LEAK  the page has ${references.value} references, and one owner`)
      },
    },
  )
}

export const b16: Claim = {
  id: 'B16',
  title: 'A fault that has to retry gives back first what it has got for the page',
  source: 'nouveau/svm: fix missing folio unlock + put after make_device_exclusive_range()',
  says: `To be alone with a page a driver gets it locked and with a reference, and holds both until its device is programmed: the CPU cannot take it back in between. If \`readRetry\` says that something came in between after all, it begins again, and everything that it has got belongs to the turn before. Kept, the
lock makes the next turn fail, for that only tries the lock, which is its own; the fault gives up, and whoever reclaims or touches the page waits for ever. With the reference alone the page is never freed.`,
  variants: [
    variant('right', 'folio lock and reference are given back before the next turn', 'pass', exclusive(AtomicDriver)),
    variant('a', 'both are kept', ['HANG', 'LEAK'], exclusive(KeepsLock)),
    variant('b', 'the reference is', 'LEAK', exclusive(KeepsReference)),
  ],
}
