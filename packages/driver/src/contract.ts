import type { DeviceAccess, FakeMmu } from '@mmu-notifier/fake-mmu'
import type { Kernel } from '@mmu-notifier/kernel'
import type { Mm } from '@mmu-notifier/mm'

/** What a driver gets when a process opens its device: one address space and one device MMU to mirror it into. */
export interface DriverHost {
  readonly kernel: Kernel
  /** The address space. The host holds it (`mmget`) while it calls `fault`, not longer. */
  readonly mm: Mm
  readonly mmu: FakeMmu
}

/** What a driver says of itself; what it does not say counts as false. */
export interface DriverCapabilities {
  /** Its callbacks honour `range.blockable === false`: they try their lock, and refuse if it is taken. */
  readonly nonBlockable?: boolean
  /** It follows munmap by cutting its intervals, rather than keeping them. */
  readonly splitsIntervals?: boolean
}

/** A driver: it mirrors an address space into a device MMU. Made by {@link defineDriver}. */
export interface Driver {
  /** Short, unique among the drivers of a run. */
  readonly name: string
  readonly capabilities?: DriverCapabilities
  /** A process opens the device. Called once for each address space, with a device MMU of its own. Linux: `open` of the device file. */
  attach(host: DriverHost): AttachedDriver | Promise<AttachedDriver>
}

/** A driver at work on one address space. */
export interface AttachedDriver {
  /**
   * The device could not translate `address`: make it translate, by the canonical loop readBegin → rangeFault → lock → readRetry → map. The
   * host calls it from its fault service, one fault at a time, and replays the device afterwards. An error (EFAULT, EPERM) cancels the
   * access. It may return without when an invalidation has come between: the device faults again. Where nothing has, the access is
   * cancelled after 10 calls: LIVELOCK.
   * @param address of the page, in bytes
   */
  fault(address: number, access: DeviceAccess): Promise<void>
  /**
   * The process closes the device; no further fault comes. When it returns the device maps nothing, no notifier of the driver is left, and
   * no callback or release runs or will. The address space may have ended before.
   */
  detach(): Promise<void>
}

/** Gives a driver its types, and checks what it is made of. TypeError that says what is missing. */
export function defineDriver(driver: Driver): Driver {
  checkDriver('defineDriver', driver)
  return driver
}

/** TypeError that names the caller. */
export function checkDriver(caller: string, driver: Driver): void {
  const reason = whyNoDriver(driver)
  if (reason !== undefined) throw new TypeError(`${caller}: ${reason}`)
}

/** @returns why `value` (a module's default export, say) is no driver, or undefined when it is one */
export function whyNoDriver(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `expected a driver object, got ${kindOf(value)}`
  const { name, attach } = value as Partial<Driver>
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]*$/.test(name)) return `expected name in lower case letters, digits and -, got ${typeof name === 'string' ? JSON.stringify(name) : kindOf(name)}`
  if (typeof attach !== 'function') return `driver ${name}: expected a function attach(host), got ${typeof attach}`
  return undefined
}

/** TypeError when what `attach` has returned is no driver at work. */
export function checkAttached({ name }: Driver, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw new TypeError(`driver ${name}: expected attach to return { fault, detach }, got ${kindOf(value)}`)
  for (const key of ['fault', 'detach'] as const) {
    const { [key]: found } = value as Partial<AttachedDriver>
    if (typeof found !== 'function') throw new TypeError(`driver ${name}: expected attach to return a function ${key}, got ${kindOf(found)}`)
  }
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}
