import { createKernel, isErrno, type Kernel } from '@mmu-notifier/kernel'
import { PAGE_SIZE, PhysicalMemory, type AccessSignal, type Mm, type VmFile } from '@mmu-notifier/mm'
import { EventLog } from './program-events.ts'
import { Observer } from './program-observer.ts'
import { performMemory } from './program-memory.ts'
import { isOfDevice, performDevice } from './program-mirrors.ts'
import { pagesData, wordBytes } from './program-data.ts'
import type { Json, Operation, PageData, ProgramHeader } from './program.ts'

/** What the device's table says of a page: nothing, the zero page, read-only, writable, exclusive. */
export type MirrorEntry = '.' | 'z' | 'r' | 'w' | 'a'

/** An open device of the self-test driver. `DmirrorDevice.open` of `@mmu-notifier/driver-selftest` gives one. Linux: `struct dmirror`. */
export interface Mirror {
  read(address: number, pages: number): Promise<{ readonly bytes: Uint8Array; readonly faults: number }>
  /** @returns rounds of faulting in */
  write(address: number, bytes: Uint8Array): Promise<number>
  migrateToDevice(address: number, pages: number): Promise<Uint8Array>
  migrateToSystem(address: number, pages: number): Promise<number>
  snapshot(address: number, pages: number): Promise<Uint8Array>
  exclusive(address: number, pages: number): Promise<Uint8Array>
  checkExclusive(address: number, pages: number): Promise<void>
  look(address: number): MirrorEntry
  /** Counts changes of the table: while it is the same, so is what `look` says. Without it the table is read again after each operation. */
  readonly tableVersion?: number
  /** What `look` says of each page from `address` on, as characters: for devices that can tell it at once. Without it each page is asked for. */
  lookRange?(address: number, out: Uint8Array): void
  /**
   * What `snapshot` would return now, a byte for each page from `address` on: for devices that can tell it at once, by the areas and the page table alone. Without it
   * `snapshot` is called.
   */
  peek?(address: number, out: Uint8Array): void
  close(): Promise<void>
}

/** A device that address spaces can open. */
export interface MirrorDevice {
  open(mm: Mm): Promise<Mirror>
}

/** Makes device `index` of a machine; it needs memory for the pages of the window twice. */
export type CreateDevice = (memory: PhysicalMemory, index: number, header: ProgramHeader) => MirrorDevice

/** Read by one access. */
const PAGES_AT_ONCE = 16

/** The results of an operation, by field. */
export type Results = Record<string, Json>

/** The machine that a program runs on: one process, a child at most, two files, two devices, and a recorder that sees what happens. */
export class ProgramMachine {
  readonly kernel: Kernel = createKernel()
  readonly memory: PhysicalMemory
  readonly header: ProgramHeader
  readonly mm: Mm
  readonly files: readonly VmFile[]
  readonly mirrors: (Mirror | undefined)[] = []
  child: Mm | undefined
  readonly #devices: readonly MirrorDevice[]
  readonly #events: EventLog
  readonly #observer: Observer
  /** Of the pages that were read last. */
  readonly #bytes: Uint8Array

  static async start(header: ProgramHeader, createDevice: CreateDevice): Promise<ProgramMachine> {
    const machine = new ProgramMachine(header, createDevice)
    for (const [i, { filled }] of header.files.entries()) {
      for (let page = 0; page < filled; page++) await machine.files[i]?.write(page * PAGE_SIZE, wordBytes(0xf0000000 + page))
    }
    await machine.openDevice(0)
    await machine.openDevice(1)
    await machine.#events.start()
    return machine
  }

  private constructor(header: ProgramHeader, createDevice: CreateDevice) {
    this.header = header
    this.memory = new PhysicalMemory(this.kernel, { transparentHugepage: header.thp })
    this.mm = this.memory.createMm('program')
    this.files = header.files.map(({ n }, i) => this.memory.createFile({ name: `file${i}`, size: n * PAGE_SIZE }))
    this.#devices = [0, 1].map((index) => createDevice(this.memory, index, header))
    this.#bytes = new Uint8Array(Math.min(header.pages, PAGES_AT_ONCE) * PAGE_SIZE)
    this.#events = new EventLog(this)
    this.#observer = new Observer(this)
  }

  /** What device `d` would have shown of a page after the last operation. */
  lastSnapshot(d: number, page: number): number {
    return this.#observer.lastSnapshot(d, page)
  }

  /** The address of a page of the window. */
  address(page: number): number {
    return this.header.base + page * PAGE_SIZE
  }

  /** Of the device that is the owner of an event. */
  deviceIndex(owner: unknown): number {
    return this.#devices.indexOf(owner as MirrorDevice)
  }

  async openDevice(index: number): Promise<void> {
    this.mirrors[index] = await this.#devices[index]?.open(this.mm)
  }

  async closeDevice(index: number): Promise<void> {
    await this.mirrors[index]?.close()
    this.mirrors[index] = undefined
  }

  /** Performs an operation. @returns its results and what could be observed, with the fields of a recording */
  async perform(operation: Operation): Promise<Results> {
    this.#events.clear()
    let results: Results
    try {
      results = (await (isOfDevice(operation) ? performDevice(this, operation) : performMemory(this, operation))) ?? {}
    } catch (error) {
      if (!isErrno(error)) throw error
      results = { ret: -1, errno: error.code }
    }
    results['ev'] = this.#events.take()
    await this.#observer.changes(results)
    return results
  }

  /** The whole state. */
  state(): Promise<Results> {
    return this.#observer.state()
  }

  /** What the CPU reads of each page at the end, when the child is gone: data, or the signal that reading it ends in, like SEGV1. */
  async final(): Promise<Results> {
    await this.child?.exit()
    this.child = undefined
    const pages: Json[] = []
    while (pages.length < this.header.pages) {
      const { data, ended } = await this.read(this.mm, pages.length, this.header.pages - pages.length)
      pages.push(...data)
      if (ended) pages.push(`${ended.signal.slice(3)}${ended.code}`)
    }
    return { final: pages }
  }

  /** Pages as the CPU sees them, until a signal. */
  async read(mm: Mm, page: number, n: number): Promise<{ data: PageData[]; ended: AccessSignal | undefined }> {
    const data: PageData[] = []
    while (data.length < n) {
      const start = this.address(page + data.length)
      const bytes = this.#bytes.subarray(0, (n - data.length) * PAGE_SIZE)
      const ended = await mm.access('read', start, bytes)
      data.push(...pagesData(ended ? bytes.subarray(0, ended.address - start) : bytes))
      if (ended) return { data, ended }
    }
    return { data, ended: undefined }
  }
}
