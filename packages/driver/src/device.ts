import { FakeMmu, type DeviceAccess, type DeviceFault, type FakeMmuOptions } from '@mmu-notifier/fake-mmu'
import { isMmuNotifierError, MmuNotifierError, type Cell, type Kernel, type Task } from '@mmu-notifier/kernel'
import type { Mm } from '@mmu-notifier/mm'
import { checkAttached, checkDriver, type AttachedDriver, type Driver } from './contract.ts'
import { ProgressWatch } from './progress.ts'

export interface AttachOptions {
  readonly driver: Driver
  readonly mm: Mm
  /** Default: the driver's name and the address space's. */
  readonly name?: string
  /** The device's sizes. */
  readonly mmu?: Pick<FakeMmuOptions, 'levels' | 'tlbEntries' | 'faultEntries'>
}

/**
 * A device that a process has opened: an MMU, a driver attached to it, and the service that hands the device's faults to the driver.
 *
 * The service is a task. It takes the fault buffer as a batch, calls the driver once for each page with the strongest access that was asked
 * for, and a second time where a write cannot be serviced but reads may be; cancels what cannot be serviced, and replays the rest. A driver
 * that returns and does not map, time and again, cannot service: LIVELOCK.
 */
export class Device {
  readonly name: string
  readonly driver: Driver
  readonly mm: Mm
  readonly mmu: FakeMmu
  /** The task in which the driver services faults. */
  readonly service: Task
  readonly #attached: AttachedDriver
  readonly #progress: ProgressWatch
  readonly #stopping: Cell<boolean>

  /** Opens the device: makes its MMU, attaches the driver and starts the fault service. TypeError for a driver that is none. */
  static async attach(kernel: Kernel, { driver, mm, name, mmu: sizes }: AttachOptions): Promise<Device> {
    checkDriver('Device.attach', driver)
    await mm.mmgrab() // the device may be closed after the process has ended
    try {
      const mmu = new FakeMmu(kernel, { ...sizes, name: name ?? `${driver.name}:${mm.name}`, frames: mm.memory.frames })
      const attached = await driver.attach({ kernel, mm, mmu })
      checkAttached(driver, attached)
      return new Device(kernel, driver, mm, mmu, attached)
    } catch (error) {
      await mm.mmdrop()
      throw error
    }
  }

  private constructor(kernel: Kernel, driver: Driver, mm: Mm, mmu: FakeMmu, attached: AttachedDriver) {
    this.name = mmu.name
    this.driver = driver
    this.mm = mm
    this.mmu = mmu
    this.#attached = attached
    this.#stopping = kernel.cell(`${mmu.name} stopping`, false)
    this.service = kernel.spawn(`${mmu.name} faults`, () => this.#serve())
    this.#progress = new ProgressWatch(kernel, mm, mmu, this.service)
  }

  /** The device reads; faults are serviced on the way. EFAULT, EPERM when they cannot be, LIVELOCK when the driver does not, EBADF once the device is closed. */
  async read(address: number, length: number): Promise<Uint8Array> {
    this.#checkOpen()
    return this.mmu.read(address, length)
  }

  /** The device writes; faults are serviced on the way. EFAULT, EPERM, LIVELOCK, EBADF as above. */
  async write(address: number, bytes: Uint8Array): Promise<void> {
    this.#checkOpen()
    return this.mmu.write(address, bytes)
  }

  /** The device uses a page without moving data. EFAULT, EPERM, LIVELOCK, EBADF as above. */
  async touch(address: number, access: DeviceAccess): Promise<void> {
    this.#checkOpen()
    return this.mmu.touch(address, access)
  }

  /** Closes the device: ends the service, then detaches the driver. No access may be under way. EBADF when it was closed before. Throws what has ended the service, if something has, and closes the device all the same. */
  async detach(): Promise<void> {
    if (await this.#stopping.compareExchange(false, true)) throw this.#closed()
    await this.mmu.interrupt()
    try {
      await this.service.join()
    } finally {
      await this.#close()
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#attached.detach()
    } finally {
      this.#progress.close()
      await this.mm.mmdrop()
    }
  }

  #checkOpen(): void {
    if (this.#stopping.value) throw this.#closed()
  }

  #closed(): MmuNotifierError {
    return new MmuNotifierError('EBADF', `EBADF  ${this.name}: the device is closed`)
  }

  async #serve(): Promise<void> {
    for (;;) {
      await this.mmu.waitForFaults(() => this.#stopping.value)
      const batch = byPage(await this.mmu.takeFaults())
      if (batch.length === 0 && (await this.#stopping.read())) return
      for (const [address, faults] of batch) await this.#handle(address, faults)
      await this.mmu.replay()
    }
  }

  /** A write stands for the reads of its page too, unless it is what cannot be serviced. */
  async #handle(address: number, faults: readonly DeviceFault[]): Promise<void> {
    const strongest = faults.some(({ access }) => access === 'write') ? 'write' : 'read'
    try {
      if (!(await this.mm.mmget())) throw new MmuNotifierError('EFAULT', `EFAULT  ${this.name}: the address space has ended`)
      try {
        await this.#attached.fault(address, strongest)
        this.#progress.returned(address, strongest)
      } finally {
        await this.mm.mmput()
      }
    } catch (error) {
      await this.mmu.cancel(faults.filter(({ access }) => access === strongest), error instanceof Error ? error : new Error(String(error)))
      const weaker = faults.filter(({ access }) => access !== strongest)
      if (weaker.length > 0) await this.#handle(address, weaker)
    }
  }
}

/** True for the error of an access that the address space itself does not allow: the device's SIGSEGV. */
export function isAccessError(error: unknown): boolean {
  return isMmuNotifierError(error, 'EFAULT') || isMmuNotifierError(error, 'EPERM')
}

/** The faults of each page, by address. */
function byPage(batch: readonly DeviceFault[]): [address: number, faults: DeviceFault[]][] {
  const pages = new Map<number, DeviceFault[]>()
  for (const fault of batch) {
    const faults = pages.get(fault.address)
    if (faults) faults.push(fault)
    else pages.set(fault.address, [fault])
  }
  return [...pages].sort(([a], [b]) => a - b)
}
