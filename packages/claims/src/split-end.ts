import { Operations, Protocol, type Applied, type Notifier, type Range } from '@mmu-notifier/core/steps'
import type { Cell } from '@mmu-notifier/kernel'

/** The section that ends a period, in its parts. */
class Parts extends Protocol<Notifier> {
  /** @returns whether it was the last one of a frozen period */
  rangeEnds(): boolean {
    this.active--
    return this.active === 0 && this.frozen
  }

  applyAll(): Applied<Notifier> {
    return this.apply()
  }
}

/**
 * A period ends as it does in Linux: under the spinlock, but in more than one step for those who do not take it. Lock; the sequence becomes even; the deferred list is applied; unlock. Who waits for a
 * period looks at the sequence without the lock, in `remove` too; see {@link LockedRemove}.
 */
export class SplitEnd extends Operations {
  /** Set by the constructor of the base class, which calls `createProtocol`. */
  declare parts: Parts
  declare sequence: Cell<number>

  protected override createProtocol(): Protocol<Notifier> {
    this.sequence = this.kernel.cell('mmu_notifier_seq', 2)
    this.parts = new Parts(this.sequence, this.treeVersion)
    return this.parts
  }

  protected override async endPeriod(range: Range | undefined): Promise<Applied<Notifier> | undefined> {
    await this.lock.lock()
    if (range) this.kernel.trace('mmu_notifier:range_end', range, this.mm.notifiers)
    else this.kernel.trace('mmu_notifier:tree_unlock', this.mm.notifiers)
    let ended: Applied<Notifier> | undefined
    if (this.parts.rangeEnds()) {
      await this.sequence.update((seq) => seq + 1)
      // A step, for others to come before what is applied.
      await this.treeVersion.read()
      ended = this.parts.applyAll()
      if (ended.applied.length > 0) this.kernel.trace('mmu_notifier:apply', ended.applied)
    }
    await this.lock.unlock()
    return ended
  }
}

/** `remove` looks at the sequence under the spinlock, so it goes on only when the end has left its section. */
export class LockedRemove extends SplitEnd {
  protected override async periodOver(period: number): Promise<void> {
    do await super.periodOver(period)
    while (!(await this.lock.section(() => this.sequence.value !== period)))
  }
}
