import { createKernel } from '@mmu-notifier/kernel'
import { errno, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm } from '@mmu-notifier/mm'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { DmirrorDevice, type Dmirror } from '../src/index.ts'

const BASE = 0x200000000
const page = (n: number): number => BASE + n * PAGE_SIZE

let mm: Mm
let device: DmirrorDevice
let mirror: Dmirror

beforeEach(async () => {
  const memory = new PhysicalMemory(createKernel())
  mm = memory.createMm('program')
  device = new DmirrorDevice(memory, { pages: 256 })
  mirror = await device.open(mm)
})

async function map(first: number, count: number, prot = PROT_READ | PROT_WRITE): Promise<void> {
  await mm.mmap(page(first), count * PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
}

async function poke(n: number, value: number): Promise<void> {
  await mm.write(page(n), Uint8Array.of(value))
}

const table = (first: number, end: number): string => Array.from({ length: end - first }, (_, i) => mirror.look(page(first + i))).join('')
const firstBytes = (bytes: Uint8Array): number[] => Array.from({ length: bytes.length / PAGE_SIZE }, (_, i) => bytes[i * PAGE_SIZE] ?? -1)

async function code(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => 'done', (error: unknown) => (error as { code?: unknown }).code)
}

describe('read and write', () => {
  test('a round of faults covers all that is missing', async () => {
    await map(0, 4)
    await poke(1, 5)
    const { bytes, faults } = await mirror.read(page(0), 4)
    expect([firstBytes(bytes), faults, table(0, 4)]).toEqual([[0, 5, 0, 0], 1, 'zwzz'])
    expect((await mirror.read(page(0), 4)).faults).toBe(0)
    expect(await mirror.write(page(0), new Uint8Array(2 * PAGE_SIZE).fill(7))).toBe(1)
    expect([(await mm.read(page(1), 1))[0], table(0, 4)]).toEqual([7, 'wwzz'])
  })

  test('an invalidation erases one page too many', async () => {
    await map(0, 4)
    await mirror.read(page(0), 4)
    await mm.munmap(page(1), PAGE_SIZE)
    expect(table(0, 4)).toBe('z..z')
  })

  test('what fails has faulted its pages in, and stored nothing of the block', async () => {
    await map(0, 66)
    expect(await code(mirror.read(page(0), 67))).toBe('EFAULT')
    expect([table(0, 66).indexOf('.'), (await mirror.snapshot(page(65), 1))[0]]).toEqual([64, 0x11])
    expect(await code(mirror.read(page(0), 0))).toBe('EINVAL')
    await map(70, 1, PROT_READ)
    expect(await code(mirror.write(page(70), new Uint8Array(PAGE_SIZE)))).toBe('EPERM')
  })
})

describe('migration', () => {
  test('there, and back by a touch', async () => {
    await map(0, 3)
    for (let n = 0; n < 3; n++) await poke(n, n + 1)
    expect(firstBytes(await mirror.migrateToDevice(page(0), 3))).toEqual([1, 2, 3])
    expect([...(await mirror.snapshot(page(0), 3))]).toEqual([0x22, 0x22, 0x22])
    await mirror.write(page(1), new Uint8Array(PAGE_SIZE).fill(9))
    expect([(await mm.read(page(1), 1))[0], table(0, 3)]).toEqual([9, 'w.w'])
    expect(await mirror.migrateToSystem(page(0), 3)).toBe(2)
  })

  test('a hole fails it after what is before; shared pages are not there to be read back', async () => {
    await map(0, 1)
    expect(await code(mirror.migrateToDevice(page(0), 2))).toBe('EINVAL')
    expect(table(0, 1)).toBe('w')
    const other = await new DmirrorDevice(mm.memory, { pages: 16 }).open(mm)
    expect(await code(other.migrateToDevice(page(0), 1))).toBe('ENOENT')
  })

  test('a write to its own read-only page fails, unless a page before it has to be faulted in', async () => {
    await map(0, 2)
    await poke(1, 1)
    await mirror.migrateToDevice(page(1), 1)
    await mm.mprotect(page(1), PAGE_SIZE, PROT_READ)
    await mm.mprotect(page(1), PAGE_SIZE, PROT_READ | PROT_WRITE)
    expect(await code(mirror.write(page(1), new Uint8Array(PAGE_SIZE)))).toBe('EFAULT')
    expect(await code(mirror.write(page(0), new Uint8Array(2 * PAGE_SIZE)))).toBe('done')
  })

  test('a page of its own that is missing in its table stops the kernel', async () => {
    await map(0, 2)
    await mirror.migrateToDevice(page(1), 1)
    await mm.munmap(page(0), PAGE_SIZE) // one page too many
    await expect(mirror.read(page(1), 1)).rejects.toThrow('ORACLE: read of a device page missing from the device table')
    await expect(mirror.write(page(1), new Uint8Array(PAGE_SIZE))).rejects.toMatchObject({ code: 'ORACLE' })
  })

  test('the page freed last is used first, then the highest; close evicts in the order of the pages', async () => {
    await map(0, 3)
    for (const n of [0, 1, 2]) await mirror.migrateToDevice(page(n), 1)
    await mm.read(page(1), 1)
    await map(5, 1)
    await mirror.migrateToDevice(page(5), 1)
    const events: number[] = []
    mm.memory.kernel.on('mmu_notifier:range_start', ({ start, event }) => { if (event === 'clear') events.push((start - BASE) / PAGE_SIZE) })
    await mirror.close()
    expect(events).toEqual([2, 5, 0])
    expect([mm.notifiers.outstanding, (await mm.read(page(5), 1))[0]]).toEqual([0, 0])
  })
})

describe('exclusive access', () => {
  test('until the CPU touches it', async () => {
    await map(0, 2)
    await poke(0, 3)
    expect(firstBytes(await mirror.exclusive(page(0), 2))).toEqual([3, 0])
    expect([await code(mirror.checkExclusive(page(0), 2)), table(0, 2)]).toEqual(['EPERM', 'aa'])
    await poke(0, 4)
    await poke(1, 4)
    expect(await code(mirror.checkExclusive(page(0), 2))).toBe('done')
  })

  test('a hole makes it busy, and stores nothing', async () => {
    await map(0, 1)
    expect([await code(mirror.exclusive(page(0), 2)), table(0, 1)]).toEqual(['EBUSY', '.'])
  })
})

describe('without memory in RAM', () => {
  const exhaust = (left = 0) => {
    const { frames } = mm.memory
    const allocate = frames.allocate.bind(frames)
    return vi.spyOn(frames, 'allocate').mockImplementation(() => {
      if (left-- > 0) return allocate()
      throw errno('ENOMEM', 'none left')
    })
  }

  beforeEach(async () => {
    await map(0, 3)
    for (let n = 0; n < 3; n++) await poke(n, n + 1)
    await mirror.migrateToDevice(page(0), 3)
  })

  test('a touch fails, and the page stays in the device; when there is memory it comes back', async () => {
    const exhausted = exhaust()
    expect([await code(mm.read(page(0), 1)), table(0, 3)]).toEqual(['EFAULT', 'www'])
    exhausted.mockRestore()
    expect([(await mm.read(page(0), 1))[0], table(0, 3)]).toEqual([1, '.ww'])
  })

  test('MIGRATE_TO_SYS moves what it can', async () => {
    exhaust(1)
    expect([await mirror.migrateToSystem(page(0), 3), firstBytes((await mirror.read(page(1), 2)).bytes)]).toEqual([1, [2, 3]])
  })

  test('what evict leaves comes back later, even if the device has been closed', async () => {
    const exhausted = exhaust()
    await device.evict()
    await mirror.close()
    exhausted.mockRestore()
    expect([device.used, (await mm.read(page(2), 1))[0], device.used]).toEqual([3, 3, 2])
    await mm.exit()
    expect([device.used, mm.memory.frames.used]).toEqual([0, 1])
  })
})

test('everything is given back', async () => {
  await map(0, 8)
  await poke(0, 1)
  await mirror.migrateToDevice(page(0), 4)
  await mirror.exclusive(page(5), 2)
  const child = await mm.fork('child')
  await mirror.close()
  await mm.exit()
  await child.exit()
  expect(mm.memory.frames.used).toBe(1)
})
