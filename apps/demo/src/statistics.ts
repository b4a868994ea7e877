import type { IntervalNotifier, InvalidateEvent } from '@mmu-notifier/core'
import type { Device, Driver } from '@mmu-notifier/driver'
import type { FakeMmu } from '@mmu-notifier/fake-mmu'
import type { Kernel, Task } from '@mmu-notifier/kernel'

/** What one driver had to do. */
export interface DriverStatistics {
  readonly name: string
  /** Calls of its `invalidate`. */
  callbacks: number
  /** Accesses that its devices could not translate. */
  faults: number
  /** Readers that had to start again. */
  retries: number
  /** Notifiers inserted, batches included, and released or removed. */
  inserted: number
  released: number
  /** Accesses of its devices that went through, and that the address space refused. */
  accesses: number
  refused: number
}

/** Counts what happens in a run, from the tracepoints alone. */
export class Statistics {
  readonly invalidations: Partial<Record<InvalidateEvent, number>> = {}
  find = 0
  get = 0
  put = 0
  batches = 0
  /** Asynchronous ones: `removeDeferred`, and those of a batch. */
  removals = 0
  synchronousRemovals = 0
  /** Operations that had to wait for the tree to thaw. */
  deferred = 0
  releases = 0
  readonly drivers: DriverStatistics[] = []
  /** The driver whose `attach` runs now. */
  attaching: DriverStatistics | undefined
  readonly #kernel: Kernel
  readonly #byOps = new WeakMap<object, DriverStatistics>()
  readonly #byService = new WeakMap<Task, DriverStatistics>()
  readonly #byMmu = new WeakMap<FakeMmu, DriverStatistics>()

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    kernel.on('mmu_notifier:range_start', ({ event }) => { this.invalidations[event] = (this.invalidations[event] ?? 0) + 1 })
    kernel.on('mmu_notifier:invalidate', (notifier) => { this.#count(notifier, 'callbacks') })
    kernel.on('mmu_notifier:read_retry', (notifier, _seq, retry) => { if (retry) this.#count(notifier, 'retries') })
    kernel.on('mmu_notifier:insert', (notifier) => { this.#count(notifier, 'inserted') })
    kernel.on('mmu_notifier:find', () => { this.find++ })
    kernel.on('mmu_notifier:get', () => { this.get++ })
    kernel.on('mmu_notifier:put', () => { this.put++ })
    kernel.on('mmu_notifier:remove', (notifier) => {
      this.synchronousRemovals++
      this.#count(notifier, 'released')
    })
    kernel.on('mmu_notifier:remove_deferred', () => { this.removals++ })
    kernel.on('mmu_notifier:batch', (removed, inserted) => {
      this.batches++
      this.removals += removed.length
      for (const notifier of inserted) this.#count(notifier, 'inserted')
    })
    kernel.on('mmu_notifier:apply', (notifiers) => { this.deferred += notifiers.length })
    kernel.on('mmu_notifier:release', (notifier) => {
      this.releases++
      this.#count(notifier, 'released')
    })
    kernel.on('mmu:fault', (mmu) => {
      const driver = this.#byMmu.get(mmu)
      if (driver) driver.faults++
    })
  }

  /** All invalidations, whatever their event. */
  get invalidationCount(): number {
    return Object.values(this.invalidations).reduce((sum, n) => sum + n, 0)
  }

  /** The counters of a driver, from now on. */
  driver({ name }: Driver): DriverStatistics {
    const counters = { name, callbacks: 0, faults: 0, retries: 0, inserted: 0, released: 0, accesses: 0, refused: 0 }
    this.drivers.push(counters)
    return counters
  }

  /** A device of the driver: its faults, and the notifiers that its service inserts, are the driver's. */
  device({ mmu, service }: Device, driver: DriverStatistics): void {
    this.#byMmu.set(mmu, driver)
    this.#byService.set(service, driver)
  }

  /** Ops belong to the driver that first inserts with them: in its `attach`, or in the fault service of its device. */
  #count(notifier: IntervalNotifier, what: 'callbacks' | 'retries' | 'inserted' | 'released'): void {
    const driver = this.#byOps.get(notifier.ops) ?? this.attaching ?? this.#byService.get(this.#kernel.current)
    if (!driver) return
    this.#byOps.set(notifier.ops, driver)
    driver[what]++
  }
}
