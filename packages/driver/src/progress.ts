import { hex } from '@mmu-notifier/core'
import { ENTRY_VALID, ENTRY_WRITE, type DeviceAccess, type FakeMmu } from '@mmu-notifier/fake-mmu'
import { MmuNotifierError, type Kernel, type Task } from '@mmu-notifier/kernel'
import type { Mm } from '@mmu-notifier/mm'

/** A driver that nobody disturbs needs one call, and a second one if what disturbed it has just ended. */
const CALLS = 10

/**
 * Finds a driver whose `fault` returns and has not made the device translate the page: device and service would go round for ever.
 *
 *     the driver                               another task
 *     fault: maps the page
 *                                              begins an invalidation: takes it away
 *     has returned: not translated
 *
 * This is legal, and may happen any number of times. So is a `fault` that gives up when an invalidation has come first, for the device will
 * fault again. So the calls that count are those in a row with nothing of the kind since the first of them: no other task has begun an
 * invalidation of the address space or taken an entry from the device, and none is under way. What the service's own task does is the
 * driver's doing.
 *
 * It looks, as oracles do, and takes no step: the order of all else is the same without it.
 */
export class ProgressWatch {
  readonly #mm: Mm
  readonly #mmu: FakeMmu
  /** By page: calls in a row. */
  readonly #calls = new Map<number, number>()
  readonly #off: (() => void)[]

  /** Listens from now on. @param service the task that calls the driver */
  constructor(kernel: Kernel, mm: Mm, mmu: FakeMmu, service: Task) {
    this.#mm = mm
    this.#mmu = mmu
    const disturbed = (): void => { if (kernel.current !== service) this.#calls.clear() }
    this.#off = [
      kernel.on('mmu_notifier:range_start', (_, subscriptions) => { if (subscriptions === mm.notifiers) disturbed() }),
      kernel.on('mmu:entry', (of, _page, _before, after) => { if (of === mmu && after === 0) disturbed() }),
    ]
  }

  /** `fault(page, access)` has returned. LIVELOCK when it has so too often. */
  returned(page: number, access: DeviceAccess): void {
    if ((this.#mmu.pageTable.get(page) & (access === 'write' ? ENTRY_WRITE : ENTRY_VALID)) !== 0) {
      this.#calls.delete(page)
      return
    }
    if (this.#mm.notifiers.active > 0) return
    const calls = (this.#calls.get(page) ?? 0) + 1
    this.#calls.set(page, calls)
    if (calls < CALLS) return
    this.#calls.delete(page)
    const what = `fault(${hex(page)}, ${access}) returned, ${CALLS} times in a row, and the page is still not translated`
    throw new MmuNotifierError('LIVELOCK', `LIVELOCK  ${this.#mmu.name}: ${what}`)
  }

  /** Stops listening. */
  close(): void {
    for (const off of this.#off) off()
  }
}
