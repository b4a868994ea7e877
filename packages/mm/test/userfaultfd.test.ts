import type { Task } from '@mmu-notifier/kernel'
import { afterEach, describe, expect, test } from 'vitest'
import {
  MADV_DONTNEED, MADV_HUGEPAGE, MADV_POPULATE_WRITE, MAP_HUGETLB, MREMAP_DONTUNMAP, MREMAP_MAYMOVE, PAGE_SIZE, PROT_READ, PTE_WRITE, signalOf, VM_UFFD_MISSING, type Mm, type Userfaultfd,
} from '../src/index.ts'
import { anon, bytes, leaveFrames, machine, mapFile, newMm, outcome, page, pages, peek, poke, recordEvents, sharedAnon } from './helpers.ts'

/** Pages that begin with these bytes. */
function content(...first: number[]): Uint8Array {
  const all = new Uint8Array(pages(first.length))
  for (const [i, byte] of first.entries()) all[pages(i)] = byte
  return all
}

/** Pages `[first, first + count)` of the window, registered. */
async function registered(mm: Mm, first: number, count: number): Promise<Userfaultfd> {
  await anon(mm, first, count)
  const uffd = mm.userfaultfd()
  await uffd.register(page(first), pages(count))
  return uffd
}

/** The areas by their pages, with `u` for those that are registered. */
const areas = (mm: Mm): string =>
  [...mm.vmas()].map(({ start, end, flags }) => `${(start - page(0)) / PAGE_SIZE}-${(end - page(0)) / PAGE_SIZE}${flags & VM_UFFD_MISSING ? 'u' : ''}`).join(' ')

const started: Task[] = []

/** A task that is to have ended with the test. @returns when it can go no further */
async function start(mm: Mm, name: string, body: () => Promise<void>): Promise<Task> {
  const task = mm.memory.kernel.spawn(name, body)
  started.push(task)
  await mm.memory.kernel.idle()
  return task
}

afterEach(() => {
  expect(started.splice(0).flatMap(({ finished, name }) => (finished ? [] : [name]))).toEqual([])
})

/** The CPU reads a page. @returns the task; what it has found is in `found` when it has ended */
async function reading(mm: Mm, n: number, found: unknown[]): Promise<Task> {
  return start(mm, `reads ${n}`, async () => { found.push(await outcome(peek(mm, n))) })
}

describe('a fault of the CPU', () => {
  test('waits until the page is copied, without the mmap lock', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    const found: unknown[] = []
    const cpu = await reading(mm, 2, found)
    expect([await uffd.read(), cpu.finished, cpu.held]).toEqual([{ address: page(2), write: false }, false, []])
    await anon(mm, 10, 1) // takes the mmap lock for write
    const events = await recordEvents(mm)
    expect(await uffd.copy(page(1), content(6, 7, 8))).toBe(pages(3))
    await cpu.join()
    expect([found, await peek(mm, 1), await peek(mm, 3), events(), mm.memory.frames.used]).toEqual([[7], 6, 8, '', 4])
  })

  test('for write says so, and the page that comes is its own', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 1)
    const cpu = await start(mm, 'writes', () => mm.write(page(0) + 1, bytes(9)))
    expect(await uffd.read()).toEqual({ address: page(0), write: true })
    await uffd.copy(page(0), content(7))
    await cpu.join()
    expect(await mm.read(page(0), 2)).toEqual(bytes(7, 9))
  })

  test('gets the zero page, and then a page of its own without being told', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 2)
    const found: unknown[] = []
    const cpu = await reading(mm, 0, found)
    expect(await uffd.zeropage(page(0), pages(2))).toBe(pages(2))
    await cpu.join()
    await poke(mm, 1, 5)
    expect([found, await peek(mm, 1), mm.memory.frames.used]).toEqual([[0], 5, 2])
  })

  test('of a page that is there is none', async () => {
    const mm = newMm()
    await anon(mm, 0, 2)
    await poke(mm, 0, 3)
    const uffd = mm.userfaultfd()
    await uffd.register(page(0), pages(2))
    await poke(mm, 0, 4)
    expect(await peek(mm, 0)).toBe(4)
    await mm.madvise(page(0), pages(1), MADV_DONTNEED) // gone, so it has to be brought again
    const found: unknown[] = []
    const cpu = await reading(mm, 0, found)
    await uffd.copy(page(0), content(5))
    await cpu.join()
    expect(found).toEqual([5])
  })

  test('that is woken while the page is missing is told again', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 2)
    const found: unknown[] = []
    const cpu = await reading(mm, 0, found)
    await uffd.read()
    await uffd.wake(page(0), pages(1))
    expect(await uffd.read()).toEqual({ address: page(0), write: false })
    await uffd.copy(page(0), content(7), { dontWake: true })
    await mm.memory.kernel.idle()
    expect([cpu.finished, await peek(mm, 0)]).toEqual([false, 7])
    await uffd.wake(page(1), pages(1)) // another page
    await mm.memory.kernel.idle()
    expect(cpu.finished).toBe(false)
    await uffd.wake(page(0), pages(2))
    await cpu.join()
    expect(found).toEqual([7])
  })
})

describe('messages', () => {
  test('come in order, each to one reader; what was resolved unread does not come', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    const got: unknown[] = []
    for (const n of [1, 2]) await start(mm, `reader ${n}`, async () => { got.push((await uffd.read())?.address) })
    const cpus = [await reading(mm, 3, []), await reading(mm, 1, [])]
    expect(got).toEqual([page(3), page(1)])
    cpus.push(await reading(mm, 0, []), await reading(mm, 2, []))
    await uffd.copy(page(0), content(1, 2))
    expect(await uffd.read()).toEqual({ address: page(2), write: false })
    await uffd.zeropage(page(2), pages(2))
    for (const cpu of cpus) await cpu.join()
  })

  test('end with the userfaultfd', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 1)
    let message: unknown = 'none yet'
    const reader = await start(mm, 'reader', async () => { message = await uffd.read() })
    await uffd.close()
    await reader.join()
    expect([message, await uffd.read()]).toEqual([undefined, undefined])
  })
})

describe('copy', () => {
  test('leaves what is there, and says how far it came', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    await uffd.copy(page(2), content(3))
    expect(await uffd.copy(page(0), content(1, 2, 9, 9))).toBe(pages(2))
    expect([await outcome(uffd.copy(page(2), content(9))), await outcome(uffd.zeropage(page(1), pages(1)))]).toEqual(['EEXIST', 'EEXIST'])
    expect([await peek(mm, 0), await peek(mm, 1), await peek(mm, 2), mm.memory.frames.used]).toEqual([1, 2, 3, 4])
  })

  test('memory that ends behind the first page makes it short, and wakes who waits for what is there; at the first it is ENOMEM, and wakes nobody', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    const found: unknown[] = []
    const cpu = await reading(mm, 1, found)
    const plenty = leaveFrames(mm.memory, 0)
    expect([await outcome(uffd.copy(page(1), content(7))), cpu.finished]).toEqual(['ENOMEM', false])
    plenty()
    leaveFrames(mm.memory, 2)
    expect(await uffd.copy(page(0), content(6, 7, 8, 9))).toBe(pages(2))
    await cpu.join()
    expect(found).toEqual([7])
  })

  test('is writable where the area is', async () => {
    const mm = newMm()
    await anon(mm, 0, 1, PROT_READ)
    await anon(mm, 1, 1)
    const uffd = mm.userfaultfd()
    await uffd.register(page(0), pages(2))
    await uffd.copy(page(0), content(1))
    await uffd.copy(page(1), content(2))
    expect([0, 1].map((n) => mm.pageTable.get(page(n)) & PTE_WRITE)).toEqual([0, PTE_WRITE])
  })

  test.each<[string, number, number]>([
    ['nothing is mapped there', 9, 1],
    ['the area is not registered', 4, 1],
    ['the area ends before', 3, 2],
  ])('ENOENT: %s', async (_, first, count) => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    await anon(mm, 4, 2)
    expect(await outcome(uffd.copy(page(first), content(...new Array<number>(count).fill(1))))).toBe('ENOENT')
  })
})

describe('errors', () => {
  test.each<[string, (mm: Mm, uffd: Userfaultfd) => Promise<unknown>, string]>([
    ['an address inside a page', (_, uffd) => uffd.register(page(0) + 1, pages(1)), 'EINVAL'],
    ['half a page', (_, uffd) => uffd.copy(page(0), bytes(1)), 'EINVAL'],
    ['no page', (_, uffd) => uffd.wake(page(0), 0), 'EINVAL'],
    ['beyond user space', (_, uffd) => uffd.zeropage(0x7ffffffff000, pages(1)), 'EINVAL'],
    ['no number', (_, uffd) => uffd.unregister(-1, pages(1)), 'RangeError'],
    ['another mode', (_, uffd) => uffd.register(page(0), pages(1), 2), 'EINVAL'],
    ['nothing there', (_, uffd) => uffd.register(page(0) - pages(2), pages(1)), 'EINVAL'],
    ['nothing there or behind', (_, uffd) => uffd.register(page(100), pages(1)), 'ENOMEM'],
    ['shared memory', async (mm, uffd) => (await sharedAnon(mm, 8, 1), uffd.register(page(0), pages(9))), 'EINVAL'],
    ['a file', async (mm, uffd) => (await mapFile(mm, 8, 1, mm.memory.createFile({ name: 'f', size: pages(1) })), uffd.register(page(8), pages(1))), 'EINVAL'],
    ['MAP_HUGETLB', async (mm, uffd) => (await anon(mm, 512, 512, 3, MAP_HUGETLB), uffd.register(page(512), pages(512))), 'EINVAL'],
    ["another's", async (mm, uffd) => (await mm.userfaultfd().register(page(3), pages(1)), uffd.register(page(0), pages(4))), 'EBUSY'],
    ["to give up another's", async (mm, uffd) => (await mm.userfaultfd().register(page(3), pages(1)), uffd.unregister(page(0), pages(4))), 'EINVAL'],
    ['register of a closed one', async (_, uffd) => (await uffd.close(), uffd.register(page(0), pages(1))), 'EBADF'],
    ['copy of a closed one', async (_, uffd) => (await uffd.close(), uffd.copy(page(0), content(1))), 'EBADF'],
    ['close of a closed one', async (_, uffd) => (await uffd.close(), uffd.close()), 'EBADF'],
    ['copy after the end', async (mm, uffd) => (await mm.exit(), uffd.copy(page(0), content(1))), 'ESRCH'],
    ['zeropage after the end', async (mm, uffd) => (await mm.exit(), uffd.zeropage(page(0), pages(1))), 'ESRCH'],
    ['register after the end', async (mm, uffd) => (await mm.exit(), uffd.register(page(0), pages(1))), 'ENOMEM'],
    ['unregister after the end', async (mm, uffd) => (await mm.exit(), uffd.unregister(page(0), pages(1))), 'ENOMEM'],
    ['close after the end', async (mm, uffd) => (await mm.exit(), uffd.close(), 'closed'), 'closed'],
  ])('%s', async (_, call, code) => {
    const mm = newMm()
    await anon(mm, 0, 4)
    expect(await outcome(call(mm, mm.userfaultfd()))).toBe(code)
  })
})

describe('areas', () => {
  test('are split where the registration ends, and do not join what is registered otherwise', async () => {
    const mm = newMm()
    await anon(mm, 0, 8)
    const [one, two] = [mm.userfaultfd(), mm.userfaultfd()]
    await one.register(page(2), pages(2))
    expect(areas(mm)).toBe('0-2 2-4u 4-8')
    await two.register(page(4), pages(2))
    expect(areas(mm)).toBe('0-2 2-4u 4-6u 6-8')
    await one.register(page(0), pages(3))
    expect(areas(mm)).toBe('0-4u 4-6u 6-8')
    await one.unregister(page(1), pages(1))
    expect(areas(mm)).toBe('0-1u 1-2 2-4u 4-6u 6-8')
    await one.close()
    expect(areas(mm)).toBe('0-4 4-6u 6-8')
    await two.close()
    expect(areas(mm)).toBe('0-8')
  })

  test('with a hole between them are registered by one call', async () => {
    const mm = newMm()
    await anon(mm, 0, 2)
    await anon(mm, 4, 2)
    await mm.userfaultfd().register(page(1), pages(4))
    expect(areas(mm)).toBe('0-1 1-2u 4-5u 5-6')
  })

  test('keep it under mprotect, and lose it in a child and at another place', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    await mm.mprotect(page(3), pages(1), PROT_READ)
    expect(areas(mm)).toBe('0-3u 3-4u')
    const child = await mm.fork('child')
    expect([areas(child), await peek(child, 0)]).toEqual(['0-3 3-4', 0])
    const moved = await mm.mremap(page(0), pages(2), pages(2), MREMAP_MAYMOVE | MREMAP_DONTUNMAP)
    expect([await mm.read(moved, 1), mm.findVma(page(0))?.flags]).toEqual([bytes(0), mm.findVma(page(2))?.flags])
    await uffd.close()
    expect(await peek(mm, 0)).toBe(0)
  })
})

describe('who waits goes on', () => {
  test('when the userfaultfd is closed: faults are as usual again', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    const found: unknown[] = []
    const cpus = [await reading(mm, 1, found), await reading(mm, 2, found)]
    await uffd.read() // one was told, one was not
    await uffd.close()
    for (const cpu of cpus) await cpu.join()
    expect([found, await peek(mm, 3)]).toEqual([[0, 0], 0])
  })

  test('when its page is no longer registered', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 4)
    const found: unknown[] = []
    const [first, second] = [await reading(mm, 0, found), await reading(mm, 2, found)]
    await uffd.unregister(page(2), pages(1))
    await second.join()
    expect([found, first.finished]).toEqual([[0], false])
    await uffd.zeropage(page(0), pages(1))
    await first.join()
  })

  test('not by munmap: copy finds nothing, and wake ends the access', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 1)
    let signal: unknown
    const cpu = await start(mm, 'reads', async () => {
      signal = await peek(mm, 0).catch(signalOf)
    })
    await mm.munmap(page(0), pages(1))
    await mm.memory.kernel.idle()
    expect([await outcome(uffd.copy(page(0), content(1))), cpu.finished]).toEqual(['ENOENT', false])
    await uffd.wake(page(0), pages(1))
    await cpu.join()
    expect(signal).toEqual({ signal: 'SIGSEGV', code: 1 })
  })
})

describe('who may not drop the mmap lock cannot have the page', () => {
  test('EFAULT of a driver, of who pins, and of populate; nothing is told', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 2)
    const notifier = await mm.notifiers.insert({ start: page(0), last: page(2) - 1 }, { invalidate: async () => true })
    const seq = await notifier.readBegin()
    expect(await outcome(mm.rangeFault({ notifier, seq, start: page(0), end: page(1), access: 'read' }))).toBe('EFAULT')
    expect(await outcome(mm.pinUserPages(page(0), page(1)))).toBe('EFAULT')
    expect(await outcome(mm.madvise(page(0), pages(1), MADV_POPULATE_WRITE))).toBe('EFAULT')
    expect((await mm.mmapRead(() => mm.makeDeviceExclusive(page(0), page(1)))).frames).toHaveLength(0)
    const reader = await start(mm, 'reader', async () => { expect(await uffd.read()).toBeUndefined() })
    expect(reader.finished).toBe(false)
    await uffd.close()
    await reader.join()
  })

  test('a migration leaves holes as they are', async () => {
    const mm = newMm()
    const uffd = await registered(mm, 0, 2)
    await uffd.copy(page(0), content(1))
    const device = mm.memory.createDevicePages('device', 2, { migrateToRam: async () => undefined, pageFree: () => undefined })
    await mm.mmapRead(async () => {
      const migration = await mm.migrateVma({ start: page(0), end: page(2), owner: 'device', select: 'system' })
      expect([...migration.src].map((pfn) => pfn & 1)).toEqual([1, 1])
      for (const i of [0, 1]) {
        device.take(device.first + i)
        migration.dst[i] = (device.first + i) << 2
      }
      await migration.pages()
      expect([...migration.src].map((pfn) => pfn & 1)).toEqual([1, 0])
      await migration.finalize()
    })
    expect(mm.pageTable.get(page(1))).toBe(0)
  })
})

test('with huge pages small ones come, and an area is split at 2 MiB that it cuts', async () => {
  const mm = machine({ transparentHugepage: 'always' }).createMm('mm')
  await anon(mm, 0, 1024)
  await mm.madvise(page(0), pages(1024), MADV_HUGEPAGE)
  await poke(mm, 0, 1)
  expect(mm.pageTable.getHuge(page(0))).not.toBe(0)
  const uffd = mm.userfaultfd()
  await uffd.register(page(8), pages(1016))
  expect(mm.pageTable.getHuge(page(0))).toBe(0)
  const found: unknown[] = []
  const cpu = await reading(mm, 600, found)
  expect(mm.pageTable.nextTable(page(512), page(1024))).toBe(-1)
  await uffd.copy(page(600), content(7))
  await cpu.join()
  expect([found, mm.pageTable.getHuge(page(512)), await peek(mm, 8)]).toEqual([[7], 0, 0])
})
