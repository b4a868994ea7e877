import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, MIGRATE_PFN_WRITE, PAGE_SIZE, type DevicePages, type Migration, type Mm, type PhysicalMemory } from '../src/index.ts'
import { page } from './helpers.ts'

/** The smallest device with memory of its own. */
export class TestDevice {
  readonly pages: DevicePages
  readonly free: number[] = []
  readonly memory: PhysicalMemory
  /** What migrateToRam throws. */
  failure: Error | undefined

  constructor(memory: PhysicalMemory, count = 16) {
    this.memory = memory
    this.pages = memory.createDevicePages(this, count, {
      migrateToRam: async ({ mm, address, frame }) => {
        if (this.failure) throw this.failure
        await this.move(await mm.migrateVma({ start: address, end: address + PAGE_SIZE, owner: this, select: 'devicePrivate', faultFrame: frame }), () => this.memory.frames.allocate())
      },
      pageFree: (frame) => this.free.push(frame),
    })
    for (let frame = this.pages.first; frame < this.pages.end; frame++) this.free.push(frame)
  }

  /** Moves pages of the window here. @returns which of them have moved */
  async take(mm: Mm, first: number, count: number): Promise<boolean[]> {
    return mm.mmapRead(async () => this.move(await mm.migrateVma({ start: page(first), end: page(first + count), owner: this, select: 'system' }), () => this.allocate()))
  }

  /** Moves pages of the window back to RAM. */
  async giveBack(mm: Mm, first: number, count: number): Promise<boolean[]> {
    const request = { start: page(first), end: page(first + count), owner: this, select: 'devicePrivate' } as const
    return mm.mmapRead(async () => this.move(await mm.migrateVma(request), () => this.memory.frames.allocate()))
  }

  async move(migration: Migration, allocate: () => number): Promise<boolean[]> {
    const { src, dst } = migration
    src.forEach((pfn, i) => {
      if (!(pfn & MIGRATE_PFN_MIGRATE)) return
      const frame = allocate()
      if (pfn >> MIGRATE_PFN_SHIFT) this.memory.frames.copy(pfn >> MIGRATE_PFN_SHIFT, frame)
      dst[i] = (frame << MIGRATE_PFN_SHIFT) | (pfn & MIGRATE_PFN_WRITE)
    })
    await migration.pages()
    const moved = Array.from(src, (pfn) => (pfn & MIGRATE_PFN_MIGRATE) !== 0)
    await migration.finalize()
    return moved
  }

  allocate(): number {
    const frame = this.free.pop()
    if (frame === undefined) throw new RangeError('the device is full')
    this.pages.take(frame)
    return frame
  }
}
