import type { Scenario } from '@mmu-notifier/explore'
import type { Cell, Kernel } from '@mmu-notifier/kernel'
import { TlbWorld } from './tlb-world.ts'
import { at } from './world.ts'

/**
 * A device behind an IOMMU that walks the page table of the CPU (ATS, SVA): it has no page table of its own, only a TLB, which is `device` here. There is no interval: whoever flushes the TLB of
 * the CPU flushes that one too, under the page-table lock.
 */
export class AtsWorld extends TlbWorld {
  /** By page: the CPU lets it be written. Changed under the page-table lock. */
  readonly writable: readonly Cell<boolean>[]
  /** By page: so says the TLB of the device. */
  readonly deviceWritable: readonly Cell<boolean>[]

  constructor(kernel: Kernel, pages = 1, writable = true) {
    super(kernel, { pages })
    this.writable = this.cpu.map((_, page) => kernel.cell(`writable ${page}`, writable))
    this.deviceWritable = this.cpu.map((_, page) => kernel.cell(`device TLB ${page} writable`, false))
  }

  /** The device translates: by its TLB, else by a walk in the same step, for which a flush waits. @returns whether it may write */
  async translate(page: number): Promise<boolean> {
    const allowed = at(this.deviceWritable, page)
    let may = false
    await this.deviceEntry(page).update((held) => {
      const frame = held || this.walk(page)
      if (held === 0) allowed.value = at(this.writable, page).value
      may = frame !== 0 && allowed.value
      this.kernel.note(() => `device: page ${page} is ${frame === 0 ? 'nothing' : `frame ${frame}, ${may ? 'writable' : 'read-only'}${held === 0 ? '' : ', by its TLB'}`}`)
      return frame
    })
    return may
  }

  /** The device writes, and asks for the page until it may. */
  async write(page: number): Promise<void> {
    while (!(await this.translate(page))) {
      const came = await this.upgrade(page)
      if (came === 'nothing') return
      if (came === 'nothing new') await this.kernel.cpuRelax()
    }
  }

  /** A write fault: adds a permission, of which no notifier is told. */
  async upgrade(page: number): Promise<'writable' | 'nothing' | 'nothing new'> {
    const allowed = at(this.writable, page)
    await this.ptl.lock()
    const there = (await this.entry(page).read()) !== 0
    const before = there && (await allowed.read())
    if (there && !before) {
      await allowed.write(true)
      this.kernel.note(() => `page table: page ${page} is writable`)
      await this.flushUpgraded(page)
    }
    await this.ptl.unlock()
    if (!there) return 'nothing'
    return before ? 'nothing new' : 'writable'
  }

  /** Linux, on Arm: `ptep_set_access_flags()`. */
  protected flushUpgraded(page: number): Promise<void> {
    return this.flush(page)
  }

  /** Takes a permission away: a page that is written back. */
  async protect(page: number): Promise<void> {
    await this.notifiers.invalidate({ ...this.rangeOf(page), event: 'protectionPage' }, async () => {
      await this.ptl.lock()
      await at(this.writable, page).write(false)
      this.kernel.note(() => `page table: page ${page} is read-only`)
      await this.flush(page)
      await this.ptl.unlock()
    })
  }

  override async flush(first: number, last: number = first): Promise<void> {
    await super.flush(first, last)
    await this.flushSecondary(first, last)
  }

  /** Linux: `mmu_notifier_arch_invalidate_secondary_tlbs()`. */
  protected async flushSecondary(first: number, last: number): Promise<void> {
    for (let page = first; page <= last; page++) {
      await this.deviceEntry(page).write(0)
      this.kernel.note(() => `flush the TLB of the device: page ${page}`)
    }
  }
}

interface State {
  readonly world: AtsWorld
}

/** A device and a CPU use pages that are taken away. */
export function unmapping(world: new (kernel: Kernel, pages: number) => AtsWorld, pages = 1): Scenario<State> {
  return {
    setup: (kernel) => ({ world: new world(kernel, pages) }),
    tasks: {
      async device(state) {
        for (let page = 0; page < pages; page++) await state.world.translate(page)
      },
      munmap: (state) => state.world.unmap(0, pages - 1),
      async cpu(state) {
        await state.world.access(0)
      },
    },
    check: (state) => { state.world.quiescent() },
  }
}
