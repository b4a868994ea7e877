import { CoverOracle, StaleOracle } from '@mmu-notifier/driver'
import { createKernel } from '@mmu-notifier/kernel'
import { MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm } from '@mmu-notifier/mm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DmirrorDevice, type Dmirror, type DmirrorForm } from '../src/index.ts'

const BASE = 0x200000000
const page = (n: number): number => BASE + n * PAGE_SIZE

let memory: PhysicalMemory
let mm: Mm
let mirror: Dmirror
let open = true

beforeEach(async () => {
  memory = new PhysicalMemory(createKernel())
  mm = memory.createMm('program')
  mirror = await new DmirrorDevice(memory, { form: 'v6', pages: 256 }).open(mm)
  new StaleOracle(memory.kernel).watchTable(mirror)
  new CoverOracle(memory.kernel).watch(mirror)
  open = true
})

afterEach(async () => {
  if (open) await mirror.close()
  if (mm.users > 0) await mm.exit()
  expect([mm.notifiers.outstanding, memory.frames.used]).toEqual([0, 1])
})

async function map(first: number, count: number, prot = PROT_READ | PROT_WRITE): Promise<void> {
  await mm.mmap(page(first), count * PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
}

const poke = (n: number, value: number): Promise<void> => mm.write(page(n), Uint8Array.of(value))
const peek = async (n: number): Promise<number> => (await mm.read(page(n), 1))[0] ?? -1
const filled = (count: number, value: number): Uint8Array => new Uint8Array(count * PAGE_SIZE).fill(value)
const table = (first: number, end: number): string => Array.from({ length: end - first }, (_, i) => mirror.look(page(first + i))).join('')
const firstBytes = (bytes: Uint8Array): number[] => Array.from({ length: bytes.length / PAGE_SIZE }, (_, i) => bytes[i * PAGE_SIZE] ?? -1)
const intervals = (): number[][] =>
  mm.notifiers.intervals(mirror.ops).map(({ start, last }) => [(start - BASE) / PAGE_SIZE, (last + 1 - BASE) / PAGE_SIZE]).sort(([a = 0], [b = 0]) => a - b)

async function code(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => 'done', (error: unknown) => (error as { code?: unknown }).code)
}

describe('intervals', () => {
  test('one for each area that is used; a hole cuts it, and the rest stays in the table', async () => {
    await map(0, 8)
    await map(16, 4, PROT_READ)
    expect(intervals()).toEqual([])
    await mirror.read(page(2), 6)
    await mirror.read(page(16), 1)
    expect(intervals()).toEqual([[0, 8], [16, 20]])
    await mm.munmap(page(4), PAGE_SIZE)
    expect([intervals(), table(2, 8)]).toEqual([[[0, 4], [5, 8], [16, 20]], 'zz.zzz'])
    await mm.munmap(page(0), PAGE_SIZE)
    expect([intervals(), table(2, 8)]).toEqual([[[1, 4], [5, 8], [16, 20]], 'zz.zzz'])
    await mm.munmap(page(0), 20 * PAGE_SIZE)
    expect([intervals(), mm.notifiers.outstanding]).toEqual([[], 0])
  })

  test('a command goes over the areas that it touches; at a hole it fails, when what is before is stored', async () => {
    await map(0, 4)
    await map(4, 4, PROT_READ)
    expect((await mirror.read(page(0), 8)).faults).toBe(1)
    expect(await code(mirror.read(page(0), 9))).toBe('EFAULT')
    expect([intervals(), table(0, 9)]).toEqual([[[0, 4], [4, 8]], 'zzzzzzzz.'])
  })

  test('the end of the process removes them, and the device may be closed afterwards', async () => {
    await map(0, 8)
    await mirror.migrateToDevice(page(0), 2)
    await mirror.read(page(0), 8)
    await mm.exit()
    expect([intervals(), table(0, 8)]).toEqual([[], '........'])
    await mirror.close()
    open = false
  })
})

test.each<DmirrorForm>(['kernel', 'v6'])('an address space that has ended is EINVAL for the form %s', async (form) => {
  const device = new DmirrorDevice(memory, { form, pages: 1 })
  const before = await device.open(mm)
  await mm.exit()
  expect(await code(device.open(mm))).toBe('EINVAL')
  for (const command of ['read', 'migrateToDevice', 'migrateToSystem', 'snapshot', 'exclusive'] as const) {
    expect([command, await code(before[command](page(0), 1))]).toEqual([command, 'EINVAL'])
  }
  await before.close()
})

describe('without the bugs of the kernel', () => {
  test('an invalidation erases what it is for', async () => {
    await map(0, 4)
    await mirror.read(page(0), 4)
    await mm.munmap(page(1), PAGE_SIZE)
    expect(table(0, 4)).toBe('z.zz')
  })

  test('a write brings a read-only page of the own memory back, and goes on', async () => {
    await map(0, 2)
    await poke(1, 1)
    await mirror.migrateToDevice(page(0), 2)
    await mm.mprotect(page(0), 2 * PAGE_SIZE, PROT_READ)
    expect(await code(mirror.write(page(0), filled(2, 5)))).toBe('EPERM')
    await mm.mprotect(page(0), 2 * PAGE_SIZE, PROT_READ | PROT_WRITE)
    expect(await mirror.write(page(0), filled(2, 9))).toBe(1)
    expect([table(0, 2), [...(await mirror.snapshot(page(0), 2))], await peek(1)]).toEqual(['ww', [2, 2], 9])
  })

  test('a page of the own memory that is missing in the table is found', async () => {
    await map(0, 3)
    await poke(1, 7)
    await mirror.migrateToDevice(page(0), 3)
    await mm.mprotect(page(1), PAGE_SIZE, PROT_READ)
    expect([table(0, 3), firstBytes((await mirror.read(page(0), 3)).bytes), table(0, 3)]).toEqual(['w.w', [0, 7, 0], 'wrw'])
  })
})

describe('the commands', () => {
  test('to the device and back', async () => {
    await map(0, 3)
    for (let n = 0; n < 3; n++) await poke(n, n + 1)
    expect(firstBytes(await mirror.migrateToDevice(page(0), 3))).toEqual([1, 2, 3])
    expect([...(await mirror.snapshot(page(0), 3))]).toEqual([0x22, 0x22, 0x22])
    await mirror.write(page(1), filled(1, 9))
    expect([await peek(1), table(0, 3)]).toEqual([9, 'w.w'])
    expect([await mirror.migrateToSystem(page(0), 3), table(0, 3)]).toEqual([2, '...'])
    expect(await code(mirror.migrateToDevice(page(0), 4))).toBe('EINVAL')
  })

  test('a page that is not there afterwards is missing', async () => {
    await map(0, 2)
    const other = await new DmirrorDevice(memory, { form: 'v6', pages: 16 }).open(mm)
    await other.migrateToDevice(page(1), 1)
    expect([await code(mirror.migrateToDevice(page(0), 2)), table(0, 2)]).toEqual(['ENOENT', 'w.'])
    await other.close()
  })

  test('a child has the page too, and loses it when the parent writes', async () => {
    await map(0, 1)
    await poke(0, 3)
    await mirror.migrateToDevice(page(0), 1)
    const child = await mm.fork('child')
    await mirror.write(page(0), filled(1, 4))
    expect([(await child.read(page(0), 1))[0], await peek(0)]).toEqual([3, 4])
    await child.exit()
  })

  test('exclusive until the CPU touches it; a page that was shared is copied first', async () => {
    await map(0, 2)
    await poke(0, 3)
    const child = await mm.fork('child')
    expect(firstBytes(await mirror.exclusive(page(0), 2))).toEqual([3, 0])
    expect([await code(mirror.checkExclusive(page(0), 2)), table(0, 2)]).toEqual(['EPERM', 'aa'])
    expect(firstBytes(await mirror.exclusive(page(0), 2))).toEqual([3, 0])
    await poke(0, 4)
    expect([await code(mirror.checkExclusive(page(0), 1)), await code(mirror.checkExclusive(page(1), 1))]).toEqual(['done', 'EPERM'])
    expect([(await child.read(page(0), 1))[0], table(0, 2)]).toEqual([3, '.a'])
    await child.exit()
  })

  test('exclusive fails as an access does', async () => {
    await map(0, 1)
    await map(1, 1, PROT_READ)
    expect([await code(mirror.exclusive(page(0), 2)), table(0, 2)]).toEqual(['EPERM', 'a.'])
    expect(await code(mirror.exclusive(page(2), 1))).toBe('EFAULT')
  })
})

/** A machine of its own under a random scheduler, with the oracles on: `pages` that the device has for itself, and two tasks that race. */
async function race(seed: number, pages: number, tasks: readonly ((mirror: Dmirror, mm: Mm) => Promise<unknown>)[]): Promise<{ mirror: Dmirror; events: number }> {
  const kernel = createKernel({ preemption: { seed, probability: 0.5 } })
  const mm = new PhysicalMemory(kernel).createMm('program')
  const mirror = await new DmirrorDevice(mm.memory, { form: 'v6', pages: 4 }).open(mm)
  new StaleOracle(kernel).watchTable(mirror)
  new CoverOracle(kernel).watch(mirror)
  await mm.mmap(BASE, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
  await mirror.exclusive(BASE, pages)
  let events = 0
  kernel.on('mmu_notifier:range_start', () => { events++ })
  for (const task of tasks.map((run, i) => kernel.spawn(`task ${i}`, async () => { await run(mirror, mm) }))) await task.join()
  return { mirror, events }
}

describe('EXCLUSIVE under a random scheduler', () => {
  test('two commands for pages of one area do not disturb each other: an event gives each page back, another one takes it', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { events } = await race(seed, 16, [(mirror) => mirror.exclusive(page(0), 8), (mirror) => mirror.exclusive(page(8), 8)])
      expect([seed, events]).toEqual([seed, 2 * 16])
    }
  })

  test.each([0, 1, 2])('it begins again when page %d of three is discarded beside it', async (discarded) => {
    const found = new Set<string>()
    for (let seed = 1; seed <= 200; seed++) {
      const { mirror } = await race(seed, 3, [
        (mirror) => mirror.exclusive(page(0), 3).catch((error: unknown) => { expect([seed, error]).toMatchObject([seed, { code: 'ENOENT' }]) }),
        async (_, mm) => {
          for (let wait = seed % 40; wait > 0; wait--) await mm.memory.kernel.condResched()
          await mm.madvise(page(discarded), PAGE_SIZE, MADV_DONTNEED)
        },
      ])
      found.add(mirror.look(page(discarded)))
    }
    expect(found).toEqual(new Set(['a', '.']))
  })
})
