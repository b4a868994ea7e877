import { checkLeaks, CoverOracle, StaleOracle, type Violation } from '@mmu-notifier/driver'
import { DmirrorDevice, type Dmirror, type DmirrorForm } from '@mmu-notifier/driver-selftest'
import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import {
  HUGE_PAGE_SIZE, MADV_HUGEPAGE, MAP_ANONYMOUS, MAP_FIXED, MAP_HUGETLB, MAP_PRIVATE, MAP_SHARED, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type DeviceMemoryKind, type Mm,
  type TransparentHugepage, type VmFile,
} from '@mmu-notifier/mm'
import { expectBytes, expectEqual, ExpectationError } from './expectation.ts'

export interface FixtureOptions {
  readonly form: DmirrorForm
  readonly device: DeviceMemoryKind
  readonly devices: 1 | 2
  readonly thp: TransparentHugepage
  /** Tasks are switched at random, by this seed. */
  readonly seed?: number
}

/** A piece of the process's memory. */
export interface Buffer {
  readonly address: number
  readonly pages: number
}

export interface DeviceAccess {
  /** Default: the first device. */
  readonly mirror?: Dmirror
  /** Rounds of faulting in that it has to take. Default: 1. */
  readonly faults?: number
  /** By READ_UNLOCKED. */
  readonly unlocked?: boolean
}

/** Pages of a buffer, unless a test says otherwise: 4 MiB. */
export const PAGES = 1024
/** Pages of a device's memory. */
const DEVICE_PAGES = 4 * PAGES
/** Where buffers go that have to begin with a huge page: nothing else comes near. */
const ALIGNED = 0x10_0000_0000

export const RW: number = PROT_READ | PROT_WRITE

/** What a test runs on: a machine of its own with one process, which has opened one or two devices; watched by the oracles. */
export class Fixture {
  readonly kernel: Kernel
  readonly memory: PhysicalMemory
  readonly mm: Mm
  readonly options: FixtureOptions
  readonly devices: readonly DmirrorDevice[]
  readonly mirrors: Dmirror[] = []
  /** Lines that a test has to say. */
  readonly notes: string[] = []
  readonly #violations: Violation[] = []
  readonly #stale: StaleOracle
  readonly #cover: CoverOracle
  readonly #processes: Mm[] = []
  readonly #files: VmFile[] = []

  static async start(options: FixtureOptions): Promise<Fixture> {
    const fixture = new Fixture(options)
    for (const device of fixture.devices) fixture.mirrors.push(await fixture.open(device, fixture.mm))
    return fixture
  }

  private constructor(options: FixtureOptions) {
    const { form, device: kind, devices, thp, seed } = options
    this.options = options
    this.kernel = createKernel(seed === undefined ? {} : { preemption: { seed, probability: 0.1 } })
    this.memory = new PhysicalMemory(this.kernel, { transparentHugepage: thp })
    this.mm = this.memory.createMm('process')
    this.#processes.push(this.mm)
    const first = kind === 'private' ? 0 : 2
    this.devices = Array.from({ length: devices }, (_, i) => new DmirrorDevice(this.memory, { name: `hmm_dmirror${first + i}`, form, kind, pages: DEVICE_PAGES }))
    const report = (violation: Violation): void => { this.#violations.push(violation) }
    this.#stale = new StaleOracle(this.kernel, report)
    this.#cover = new CoverOracle(this.kernel, report)
  }

  get mirror(): Dmirror {
    return this.#at(this.mirrors, 0)
  }

  /** The other device, where the test has two. */
  get other(): Dmirror {
    return this.#at(this.mirrors, 1)
  }

  get device(): DmirrorDevice {
    return this.#at(this.devices, 0)
  }

  /** A process opens a device. */
  async open(device: DmirrorDevice, mm: Mm): Promise<Dmirror> {
    const mirror = await device.open(mm)
    this.#stale.watchTable(mirror)
    this.#cover.watch(mirror)
    return mirror
  }

  async close(mirror: Dmirror): Promise<void> {
    this.#cover.unwatch(mirror)
    await mirror.close()
    this.#stale.unwatchTable(mirror)
  }

  /** A child that ends with the test, unless it has ended before. */
  async fork(): Promise<Mm> {
    const child = await this.mm.fork('child')
    this.#processes.push(child)
    return child
  }

  async map(pages: number = PAGES, { prot = RW, shared = false, file }: { readonly prot?: number; readonly shared?: boolean; readonly file?: VmFile } = {}): Promise<Buffer> {
    const flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (file ? 0 : MAP_ANONYMOUS)
    return { address: await this.mm.mmap(0, pages * PAGE_SIZE, prot, flags, file), pages }
  }

  /** Private memory that begins where a huge page may, and asks for them. */
  async mapHuge(pages: number = HUGE_PAGE_SIZE / PAGE_SIZE): Promise<Buffer> {
    await this.mm.mmap(ALIGNED, pages * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    await this.mm.madvise(ALIGNED, pages * PAGE_SIZE, MADV_HUGEPAGE)
    return { address: ALIGNED, pages }
  }

  /** Huge pages of hugetlbfs. */
  async mapHugetlb(pages: number = HUGE_PAGE_SIZE / PAGE_SIZE): Promise<Buffer> {
    return { address: await this.mm.mmap(0, pages * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB), pages }
  }

  unmap({ address, pages }: Buffer): Promise<void> {
    return this.mm.munmap(address, pages * PAGE_SIZE)
  }

  protect({ address, pages }: Buffer, prot: number): Promise<void> {
    return this.mm.mprotect(address, pages * PAGE_SIZE, prot)
  }

  /** A file in memory, which goes with the test. */
  async file(name: string, bytes: Uint8Array): Promise<VmFile> {
    const file = this.memory.createFile({ name, size: bytes.length })
    this.#files.push(file)
    await file.write(0, bytes)
    return file
  }

  write({ address, pages }: Buffer, bytes: Uint8Array = words(pages), mm: Mm = this.mm): Promise<void> {
    return mm.write(address, bytes)
  }

  /** The CPU reads the buffer, and finds these bytes. */
  async expectCpu(what: string, { address, pages }: Buffer, expected: Uint8Array = words(pages), mm: Mm = this.mm): Promise<void> {
    expectBytes(what, await mm.read(address, pages * PAGE_SIZE), expected)
  }

  /** The device reads the buffer by `faults` rounds of faulting in, and finds these bytes. */
  async expectDevice(what: string, { address, pages }: Buffer, expected: Uint8Array = words(pages), { mirror = this.mirror, faults = 1, unlocked = false }: DeviceAccess = {}): Promise<void> {
    const result = await (unlocked ? mirror.readUnlocked(address, pages) : mirror.read(address, pages))
    expectEqual(`faults of READ of ${what}`, result.faults, faults)
    expectBytes(what, result.bytes, expected)
  }

  /** The device writes the buffer. */
  async deviceWrite({ address, pages }: Buffer, bytes: Uint8Array = words(pages), { mirror = this.mirror, faults = 1 }: DeviceAccess = {}): Promise<void> {
    expectEqual('faults of WRITE', await mirror.write(address, bytes.subarray(0, pages * PAGE_SIZE)), faults)
  }

  /** Everything moves to the device, which reads these bytes there. */
  async migrate({ address, pages }: Buffer, expected: Uint8Array = words(pages), mirror: Dmirror = this.mirror): Promise<void> {
    expectBytes('what has moved to the device', await mirror.migrateToDevice(address, pages), expected)
  }

  /** Closes and ends everything, in whatever state a test has left it. Nothing may be left, and no oracle may have complained. */
  async end(): Promise<void> {
    const [notifiers, frames] = await this.#tearDown()
    this.#stale.close()
    this.#cover.close()
    const [violation] = this.#violations
    if (violation) throw new ExpectationError('oracles', 'no violation', violation.message)
    expectEqual('notifiers left', notifiers, 0)
    expectEqual('frames left, those of devices included', frames, 0)
  }

  async #tearDown(): Promise<readonly [notifiers: number, frames: number]> {
    for (const mirror of this.mirrors) await this.close(mirror)
    for (const mm of this.#processes) if (mm.users > 0) await mm.exit()
    for (const file of this.#files) await file.unlink()
    for (const mm of this.#processes) checkLeaks(mm, [], (violation) => { this.#violations.push(violation) })
    const notifiers = this.#processes.reduce((sum, mm) => sum + mm.notifiers.outstanding, 0)
    return [notifiers, this.memory.frames.used - 1] // but for the zero page
  }

  #at<T>(list: readonly T[], index: number): T {
    const element = list[index]
    if (element === undefined) throw new RangeError(`the fixture has no device ${index}`)
    return element
  }
}

const INDICES = new Map<number, Uint8Array>()

/** The bytes of as many pages of 32-bit words, each made from its index; by default it is that. */
export function words(pages: number, word?: (index: number) => number): Uint8Array {
  const known = word ? undefined : INDICES.get(pages)
  if (known) return known
  const view = new Uint32Array((pages * PAGE_SIZE) / 4)
  for (let i = 0; i < view.length; i++) view[i] = word ? word(i) : i
  const bytes = new Uint8Array(view.buffer)
  if (!word) INDICES.set(pages, bytes)
  return bytes
}

/** Pages `[first, first + pages)` of a buffer. */
export function part({ address }: Buffer, first: number, pages: number): Buffer {
  return { address: address + first * PAGE_SIZE, pages }
}

/** The bytes of the same pages. */
export function bytesOf(bytes: Uint8Array, first: number, pages: number): Uint8Array {
  return bytes.subarray(first * PAGE_SIZE, (first + pages) * PAGE_SIZE)
}
