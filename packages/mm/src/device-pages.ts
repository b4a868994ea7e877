import type { FrameTable } from './frames.ts'
import type { Mm } from './mm.ts'

/** A CPU fault on a page that is in the memory of a device. Linux: the `vmf` of `migrate_to_ram`. */
export interface DevicePageFault {
  readonly mm: Mm
  /** Of the page. */
  readonly address: number
  readonly frame: number
}

/**
 * `private`: the CPU cannot reach it, and faults on a page that has moved there. `coherent`: the CPU maps its pages like those of RAM, over a link that keeps caches coherent. Linux:
 * MEMORY_DEVICE_PRIVATE, MEMORY_DEVICE_COHERENT.
 */
export type DeviceMemoryKind = 'private' | 'coherent'

/** What a driver with memory of its own implements. Linux: `struct dev_pagemap_ops`. */
export interface DevicePagesOps {
  /**
   * The CPU wants the page back: `mm.migrateVma` of it, under the mmap lock, which is held. An errno is a SIGBUS. It may come from any
   * address space: a fork has the page too. The fault is tried again afterwards, whatever came of it. Never for coherent memory. Linux:
   * `migrate_to_ram`.
   */
  migrateToRam(fault: DevicePageFault): Promise<void>
  /** Nobody uses the page any more: it may be given out again. Plain code, under the page-table lock. Linux: `page_free`. */
  pageFree(frame: number): void
}

/**
 * The memory of a device: frames numbered like those of RAM. The driver keeps a list of the free ones, and takes one into use by
 * {@link DevicePages.take}. Linux: `struct dev_pagemap`.
 */
export class DevicePages {
  /** Whose pages they are: `owner` of migrations and of `rangeFault`. Linux: `pgmap->owner`. */
  readonly owner: unknown
  readonly kind: DeviceMemoryKind
  /** The lowest frame. */
  readonly first: number
  /** Exclusive. */
  readonly end: number
  readonly #frames: FrameTable
  readonly #ops: DevicePagesOps

  /** @param count frames. ENOMEM. Linux: `memremap_pages()` */
  constructor(frames: FrameTable, owner: unknown, count: number, ops: DevicePagesOps, kind: DeviceMemoryKind) {
    this.owner = owner
    this.kind = kind
    this.#frames = frames
    this.#ops = ops
    this.first = frames.addDevice(this, count)
    this.end = this.first + count
  }

  /** Takes a free frame into use, with one reference, the caller's. Under the page-table lock, as {@link DevicePagesOps.pageFree} comes. Linux: `zone_device_page_init()`. */
  take(frame: number): void {
    this.#frames.initDevicePage(frame)
  }

  migrateToRam(fault: DevicePageFault): Promise<void> {
    return this.#ops.migrateToRam(fault)
  }

  pageFree(frame: number): void {
    this.#ops.pageFree(frame)
  }
}
