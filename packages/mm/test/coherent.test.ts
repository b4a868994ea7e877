import { createKernel } from '@mmu-notifier/kernel'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  frameOf, MAP_ANONYMOUS, MAP_PRIVATE, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, MIGRATE_PFN_WRITE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, PTE_PRESENT, PTE_WRITE,
  specialKind, type DevicePages, type MigrateVmaRequest, type Mm,
} from '../src/index.ts'

let memory: PhysicalMemory
let mm: Mm
let device: DevicePages
let at: number
let faults: number

beforeEach(async () => {
  memory = new PhysicalMemory(createKernel())
  mm = memory.createMm('mm')
  faults = 0
  device = memory.createDevicePages('device', 8, { migrateToRam: async () => { faults++ }, pageFree: () => undefined }, 'coherent')
  at = await mm.mmap(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
})

/** Moves pages, each to what `target` gives. @returns how many have moved */
function move(select: MigrateVmaRequest['select'], target: () => number, owner: unknown = 'device'): Promise<number> {
  return mm.mmapRead(async () => {
    const migration = await mm.migrateVma({ start: at, end: at + 2 * PAGE_SIZE, owner, select })
    migration.src.forEach((pfn, i) => {
      if (!(pfn & MIGRATE_PFN_MIGRATE)) return
      const to = target()
      if (pfn >> MIGRATE_PFN_SHIFT !== 0) memory.frames.copy(pfn >> MIGRATE_PFN_SHIFT, to)
      migration.dst[i] = (to << MIGRATE_PFN_SHIFT) | MIGRATE_PFN_WRITE
    })
    await migration.pages()
    const moved = migration.src.filter((pfn) => pfn & MIGRATE_PFN_MIGRATE).length
    await migration.finalize()
    return moved
  })
}

let next = 0
const toDevice = (): Promise<number> => {
  next = device.first
  return move('system', () => {
    device.take(next)
    return next++
  })
}

const isThere = (page: number): boolean => memory.frames.deviceOf(frameOf(mm.pageTable.get(at + page * PAGE_SIZE))) === device

describe('coherent memory of a device', () => {
  test('the CPU maps and uses a page that has moved there, and one that was born there', async () => {
    await mm.write(at, Uint8Array.of(5))
    expect(await toDevice()).toBe(2)
    for (const page of [0, 1]) {
      const entry = mm.pageTable.get(at + page * PAGE_SIZE)
      expect([isThere(page), specialKind(entry), entry & (PTE_PRESENT | PTE_WRITE)]).toEqual([true, 0, PTE_PRESENT | PTE_WRITE])
    }
    await mm.write(at + PAGE_SIZE, Uint8Array.of(6))
    expect([(await mm.read(at, 1))[0], (await mm.read(at + PAGE_SIZE, 1))[0], isThere(1), faults]).toEqual([5, 6, true, 0])
  })

  test('it leaves by a migration that asks for it, and by no other', async () => {
    await mm.write(at, Uint8Array.of(5))
    await toDevice()
    const system = (): number => memory.frames.allocate()
    expect([await move('system', system), await move('devicePrivate', system), await move('deviceCoherent', system, 'other')]).toEqual([0, 0, 0])
    expect([await move('deviceCoherent', system), isThere(0), (await mm.read(at, 1))[0]]).toEqual([2, false, 5])
    expect(memory.frames.used).toBe(3)
  })

  test('fork shares it, a write copies it into RAM', async () => {
    await mm.write(at, Uint8Array.of(5))
    await toDevice()
    const child = await mm.fork('child')
    await mm.write(at, Uint8Array.of(6))
    expect([isThere(0), (await child.read(at, 1))[0], (await mm.read(at, 1))[0]]).toEqual([false, 5, 6])
    await child.exit()
    await mm.exit()
    expect(memory.frames.used).toBe(1)
  })

  test('who pins it for long gets it in RAM', async () => {
    await mm.write(at, Uint8Array.of(5))
    await toDevice()
    const short = await mm.pinUserPages(at, at + PAGE_SIZE)
    expect(isThere(0)).toBe(true)
    await short.unpin()
    const long = await mm.pinUserPages(at, at + 2 * PAGE_SIZE, { longterm: true, access: 'write' })
    expect([isThere(0), isThere(1), (await mm.read(at, 1))[0]]).toEqual([false, false, 5])
    await long.unpin()
  })

  test.each([0, 1])('who pins it for long, while page %i is in use, is told EBUSY, and keeps nothing', async (used) => {
    await mm.write(at, Uint8Array.of(5))
    await toDevice()
    const other = await mm.pinUserPages(at + used * PAGE_SIZE, at + (used + 1) * PAGE_SIZE)
    let turns = 0
    memory.kernel.on('mmu_notifier:range_start', () => { if (++turns > 10) throw new Error('it is tried for ever') })
    await expect(mm.pinUserPages(at, at + 3 * PAGE_SIZE, { longterm: true, access: 'write' })).rejects.toMatchObject({ code: 'EBUSY' })
    expect([isThere(used), (await mm.read(at, 1))[0]]).toEqual([true, 5])
    await other.unpin()
    const long = await mm.pinUserPages(at, at + PAGE_SIZE, { longterm: true })
    await long.unpin()
    await mm.exit()
    expect(memory.frames.used).toBe(1)
  })
})
