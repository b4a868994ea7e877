import type { IntervalNotifier, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import type { Memory } from '@mmu-notifier/kernel'
import { Driver } from './driver.ts'

/** Its callbacks use what it hangs on its interval. */
export class DataDriver extends Driver {
  readonly data: Memory = this.world.kernel.memory('what the driver hangs on its interval')

  override invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    this.data.use('invalidate')
    return super.invalidate(notifier, range, seq)
  }
}
