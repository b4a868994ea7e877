import type { Cell, Kernel, Memory, Mutex, Refcount, SpinLock, WaitQueue } from '@mmu-notifier/kernel'
import { at, World } from './world.ts'

/** A page in the memory of a device. */
export interface DevicePage {
  /** Who moves the page holds it. */
  readonly folio: Mutex
  /** One is that of the entry which names the page. */
  readonly references: Refcount
  /** What describes it, which goes with the last reference. */
  readonly self: Memory
}

/**
 * An address space with pages in the memory of a device: page p in device page p + 1, and the entry is the negative of that. The CPU cannot reach it; its fault has the driver bring the page
 * back to RAM. Entries change under the page-table lock. Copying and mapping are one step unless {@link copy} says otherwise, for nobody but the holder of the folio lock moves a page.
 */
export class DeviceWorld extends World {
  readonly ptl: SpinLock
  readonly devicePages: readonly DevicePage[]
  /** The driver, as far as its memory needs it. Linux: `struct dev_pagemap`. */
  readonly pgmap: Memory
  /** Device pages that have references. */
  readonly used: Cell<number>
  readonly #freed: WaitQueue

  constructor(kernel: Kernel, pages = 1, inDevice = true) {
    super(kernel, { pages })
    this.ptl = kernel.spinLock('page-table lock')
    this.devicePages = this.cpu.map((_, page) => ({
      folio: kernel.mutex('folio lock'),
      references: kernel.refcount(`references of device page ${page + 1}`, 1),
      self: kernel.memory(`device page ${page + 1}`),
    }))
    this.pgmap = kernel.memory('the driver of the device')
    this.used = kernel.cell('device pages in use', pages)
    this.#freed = kernel.waitQueue('device pages')
    if (inDevice) this.cpu.forEach((entry, page) => { entry.value = -(page + 1) })
  }

  // The CPU

  /** @returns false for a SIGBUS */
  async touch(page: number): Promise<boolean> {
    for (;;) {
      const entry = await this.read(page)
      if (entry >= 0) return true
      if ((await this.faultPrivate(page, entry)) === 'SIGBUS') return false
    }
  }

  /** A fault on such an entry; when it returns it is worth to look again. Linux: `do_swap_page()`. */
  async faultPrivate(page: number, entry: number): Promise<'SIGBUS' | 'again'> {
    if (!(await this.hold(page, entry))) return 'again'
    const done = await this.migrateToRam(page, -entry)
    await this.letGo(-entry)
    return done ? 'again' : 'SIGBUS'
  }

  /** Folio lock and reference, under the page-table lock: as long as the entry is there, so is the page. @returns false when it has changed, after who is at it */
  protected async hold(page: number, entry: number): Promise<boolean> {
    const { folio, references } = this.devicePage(-entry)
    await this.ptl.lock()
    const there = (await this.entry(page).read()) === entry
    const locked = there && (await folio.tryLock())
    if (locked) {
      await references.get()
      this.kernel.note(() => `get ${this.nameOf(entry)}`)
    }
    await this.ptl.unlock()
    if (there && !locked) await folio.with(async () => undefined)
    return locked
  }

  protected async letGo(device: number): Promise<void> {
    await this.devicePage(device).folio.unlock()
    await this.put(device)
  }

  override async clear(page: number): Promise<void> {
    const entry = await this.change(page, () => 0)
    if (entry < 0) await this.put(-entry)
    else await this.free(entry)
  }

  // The driver

  /** Brings a page back, if its entry is still there. Its folio is locked, and kept by a reference. @returns false when it could not be copied: then it stays. Linux: `migrate_to_ram` */
  async migrateToRam(page: number, device: number): Promise<boolean> {
    this.pgmap.use('migrate_to_ram')
    this.devicePage(device).self.use('migrate_to_ram')
    let copied = false
    let held = 0
    await this.notifiers.invalidate({ ...this.rangeOf(page), event: 'migrate', owner: this.pgmap }, async () => {
      copied = await this.copy(page, device)
      if (copied) held = await this.change(page, (entry) => (entry === -device ? this.frameFor(page) : entry))
    })
    if (held === -device) await this.put(device)
    return copied
  }

  protected async copy(_page: number, _device: number): Promise<boolean> {
    return true
  }

  /** Moves a page to the device, if it is in RAM. @returns whether it was. Linux: `migrate_vma_setup()` and what follows */
  async migrateToDevice(page: number): Promise<boolean> {
    let held = 0
    await this.notifiers.invalidate({ ...this.rangeOf(page), event: 'migrate', owner: this.pgmap }, async () => {
      held = await this.change(page, (entry) => (entry > 0 ? -(page + 1) : entry))
      if (held > 0) await this.free(held)
    })
    return held > 0
  }

  /** The driver goes: it brings all pages back, and waits until nobody has one. Linux: `memunmap_pages()` at the end. */
  async remove(): Promise<void> {
    await this.evict()
    await this.drain()
    this.pgmap.free()
  }

  protected async evict(): Promise<void> {
    for (let device = 1; device <= this.devicePages.length; device++) {
      const { folio, references } = this.devicePage(device)
      const used = await references.getUnlessZero()
      this.kernel.note(() => (used ? `get ${this.nameOf(-device)}` : `${this.nameOf(-device)} is free`))
      if (!used) continue
      await folio.lock()
      await this.migrateToRam(device - 1, device)
      await this.letGo(device)
    }
  }

  protected drain(): Promise<void> {
    return this.#freed.until(() => this.used.value === 0)
  }

  /** STALE when that was the last reference and the device still maps the page. The driver is told, which takes it back into its list. */
  async put(device: number): Promise<void> {
    const { references, self } = this.devicePage(device)
    const last = await references.put()
    this.kernel.note(() => `put ${this.nameOf(-device)}`)
    if (!last) return
    await this.used.update((used) => {
      this.kernel.note(() => `free device page ${device}`)
      this.pgmap.use('page_free')
      this.unused(-device)
      self.free()
      return used - 1
    })
    await this.#freed.wakeAll()
  }

  /** Where in RAM a page goes. */
  protected frameFor(page: number): number {
    return page + 1 + this.pages
  }

  /** Changes an entry under the page-table lock. @returns what it was */
  protected async change(page: number, to: (entry: number) => number): Promise<number> {
    return this.ptl.section(() => {
      const entry = this.entry(page)
      const held = entry.value
      const now = to(held)
      entry.value = now
      this.kernel.note(() => `CPU: page ${page} -> ${this.nameOf(now)}`)
      return held
    })
  }

  protected override nameOf(frame: number): string {
    return frame < 0 ? `device page ${-frame}` : super.nameOf(frame)
  }

  protected override isFree(frame: number): boolean {
    return frame < 0 ? this.devicePage(-frame).references.value === 0 : super.isFree(frame)
  }

  protected devicePage(device: number): DevicePage {
    return at(this.devicePages, device - 1)
  }
}
