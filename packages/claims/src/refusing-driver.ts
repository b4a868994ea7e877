import type { InvalidateRange } from '@mmu-notifier/core'
import { Operations } from '@mmu-notifier/core/steps'
import type { Completion } from '@mmu-notifier/kernel'
import { Driver } from './driver.ts'

/** Beside its interval it has a notifier of the whole address space, which does nothing where nobody may wait; as nouveau's. */
export class RefusingDriver extends Driver {
  readonly classic: { invalidateRangeStart(range: InvalidateRange): Promise<boolean> } = {
    invalidateRangeStart: async ({ blockable }) => blockable,
  }
  /** The OOM reaper has been there. */
  readonly reaped: Completion = this.world.kernel.completion('reaped')

  /** The OOM reaper: what is refused stays as it is. */
  async reap(page: number): Promise<void> {
    await this.world.reap(page)
    await this.reaped.completeAll()
  }
}

/** Who is refused by a classic notifier leaves the intervals' part of the range open. */
export class LeftOpen extends Operations {
  protected override async refusedByClassic(): Promise<void> {
    // nothing
  }
}
