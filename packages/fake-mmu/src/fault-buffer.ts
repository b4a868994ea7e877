import type { Cell } from '@mmu-notifier/kernel'
import type { DeviceAccess } from './entry.ts'

/** What the device tells of an access that it could not translate. */
export interface DeviceFault {
  /** Of the page, in bytes. */
  readonly address: number
  readonly access: DeviceAccess
}

/**
 * The ring in which the device reports faults: the device advances PUT, the driver GET. When it is full the device drops the report; the
 * access stays stalled, and reports again at the next replay.
 */
export class FaultBuffer {
  readonly #ring: (DeviceFault | undefined)[]
  readonly #pending: Cell<number>
  #get = 0
  #dropped = 0

  /**
   * @param size entries, at least 1
   * @param pending PUT - GET: who waits for reports looks at it
   */
  constructor(size: number, pending: Cell<number>) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`fault buffer: expected at least one entry, got ${size}`)
    this.#ring = new Array<DeviceFault | undefined>(size)
    this.#pending = pending
  }

  /** Reports that wait for the driver. */
  get pending(): number {
    return this.#pending.value
  }

  /** Reports that found the ring full. */
  get dropped(): number {
    return this.#dropped
  }

  push(fault: DeviceFault): void {
    if (this.pending === this.#ring.length) {
      this.#dropped++
      return
    }
    this.#ring[(this.#get + this.#pending.value++) % this.#ring.length] = fault
  }

  /** Reads all that is there and frees the ring, as drivers do before they start on a batch. */
  drain(): DeviceFault[] {
    const batch: DeviceFault[] = []
    for (; this.pending > 0; this.#pending.value--) {
      const at = this.#get++ % this.#ring.length
      const fault = this.#ring[at]
      if (fault) batch.push(fault)
      this.#ring[at] = undefined
    }
    return batch
  }
}
