import { createKernel } from '@mmu-notifier/kernel'
import { describe, expect, test } from 'vitest'
import { errno, frameOf, PFN_SHIFT, PFN_VALID, PhysicalMemory, PROT_NONE, PROT_READ, PTE_DEVICE_PRIVATE, specialKind, type Mm } from '../src/index.ts'
import { TestDevice } from './device-pages.ts'
import { anon, bytes, machine, mapFile, maps, outcome, page, pages, peek, poke, recordEvents, RW, sharedAnon } from './helpers.ts'

function setup(): { mm: Mm; device: TestDevice; inDevice: (n: number) => boolean } {
  const memory = machine()
  const mm = memory.createMm('mm')
  return { mm, device: new TestDevice(memory), inDevice: (n) => specialKind(mm.pageTable.get(page(n))) === PTE_DEVICE_PRIVATE }
}

describe('to the memory of a device and back', () => {
  test('the bytes go along, and come back by a touch', async () => {
    const { mm, device, inDevice } = setup()
    await anon(mm, 0, 4)
    await poke(mm, 0, 7)
    const events = await recordEvents(mm)
    expect(await device.take(mm, 0, 4)).toEqual([true, true, true, true])
    expect(events()).toBe('migrate 0-4, migrate 1-4')
    expect([0, 1, 2, 3].map(inDevice)).toEqual([true, true, true, true])
    expect(await peek(mm, 0)).toBe(7)
    expect(events()).toBe('migrate 0-1')
    expect([0, 1].map(inDevice)).toEqual([false, true])
    expect(device.free.length).toBe(13)
  })

  test('all at once', async () => {
    const { mm, device } = setup()
    await anon(mm, 0, 4)
    await poke(mm, 2, 9)
    await device.take(mm, 0, 4)
    const events = await recordEvents(mm)
    expect(await device.giveBack(mm, 0, 4)).toEqual([true, true, true, true])
    expect(events()).toBe('migrate 0-4')
    expect(await peek(mm, 2)).toBe(9)
    expect(events()).toBe('')
    expect(device.free.length).toBe(16)
  })

  test.each([
    ['pages of a file', async (mm: Mm) => { await mapFile(mm, 0, 1, mm.memory.createFile({ name: 'f', size: pages(1) })) }],
    ['shared memory', async (mm: Mm) => { await sharedAnon(mm, 0, 1) }],
  ])('%s stay, and stay writable', async (_, map) => {
    const { mm, device } = setup()
    await map(mm)
    await poke(mm, 0, 1)
    const entry = mm.pageTable.get(page(0))
    expect(await device.take(mm, 0, 1)).toEqual([false])
    expect(mm.pageTable.get(page(0))).toBe(entry)
  })

  test('a page that somebody holds stays', async () => {
    const { mm, device } = setup()
    await anon(mm, 0, 1)
    await poke(mm, 0, 1)
    const frame = mm.pageTable.get(page(0)) >> 4
    mm.memory.frames.get(frame)
    expect(await device.take(mm, 0, 1)).toEqual([false])
    mm.memory.frames.put(frame)
    expect(await device.take(mm, 0, 1)).toEqual([true])
  })

  test('pages of another device stay there', async () => {
    const { mm, device } = setup()
    const other = new TestDevice(mm.memory)
    await anon(mm, 0, 1)
    await poke(mm, 0, 1)
    await other.take(mm, 0, 1)
    expect(await device.take(mm, 0, 1)).toEqual([false])
    expect(await device.giveBack(mm, 0, 1)).toEqual([false])
    expect(await other.giveBack(mm, 0, 1)).toEqual([true])
  })

  test('a shared page moves for both: the child hears of it, and either may bring it back', async () => {
    const { mm, device, inDevice } = setup()
    await anon(mm, 0, 1)
    await poke(mm, 0, 5)
    const child = await mm.fork('child')
    const events = await recordEvents(child)
    expect(await device.take(mm, 0, 1)).toEqual([true])
    expect(events()).toBe('clear 0-1')
    await poke(child, 0, 6)
    expect(inDevice(0)).toBe(false)
    expect([await peek(mm, 0), await peek(child, 0)]).toEqual([5, 6])
  })

  test.each([
    ['exits', async (child: Mm) => { await child.exit() }],
    ['unmaps the page and exits', async (child: Mm) => {
      await child.munmap(page(0), pages(1))
      await child.exit()
    }],
  ])('an address space that %s while its mapping of the page is looked for ends after the walk, whatever the schedule', async (_, end) => {
    for (let seed = 1; seed <= 100; seed++) {
      const kernel = createKernel({ preemption: { seed, probability: 0.5 } })
      const memory = new PhysicalMemory(kernel)
      const mm = memory.createMm('mm')
      const device = new TestDevice(memory)
      await anon(mm, 0, 1)
      await poke(mm, 0, 5)
      const child = await mm.fork('child')
      const tasks = [kernel.spawn('migrate', async () => { await device.take(mm, 0, 1) }), kernel.spawn('child', () => end(child))]
      for (const task of tasks) await task.join()
      expect([child.notifiers.active, await peek(mm, 0)], `seed ${seed}`).toEqual([0, 5])
      await mm.exit()
      expect(memory.frames.used, `seed ${seed}`).toBe(1)
    }
  })

  test('fork, mprotect, mremap, munmap and exit of pages in the device', async () => {
    const { mm, device, inDevice } = setup()
    await anon(mm, 0, 4)
    for (let n = 0; n < 4; n++) await poke(mm, n, n + 1)
    await device.take(mm, 0, 4)
    await mm.mprotect(page(0), pages(1), PROT_READ)
    await mm.mremap(page(1), pages(1), pages(1), 3, page(9))
    await mm.munmap(page(2), pages(1))
    expect(device.free.length).toBe(13)
    const child = await mm.fork('child')
    expect([0, 9, 3].map(inDevice)).toEqual([true, true, true])
    await mm.exit()
    expect([await peek(child, 0), await peek(child, 9), await peek(child, 3)]).toEqual([1, 2, 4])
    await child.exit()
    expect([device.free.length, mm.memory.frames.used]).toEqual([16, 1])
  })

  test('an errno of migrateToRam is a SIGBUS: EFAULT to whoever is told by an error; what is no errno goes on', async () => {
    const { mm, device } = setup()
    await anon(mm, 0, 1)
    await poke(mm, 0, 5)
    await device.take(mm, 0, 1)
    device.failure = errno('ENOMEM', 'no frame is left for it')
    const notifier = await mm.notifiers.insert({ start: page(0), last: page(1) - 1 }, { invalidate: async (it, _, seq) => { await it.setSeq(seq); return true } })
    const request = { notifier, seq: await notifier.readBegin(), start: page(0), end: page(1), access: 'read' } as const
    expect(await mm.access('read', page(0), bytes(0))).toEqual({ signal: 'SIGBUS', code: 2, address: page(0) })
    expect([await outcome(peek(mm, 0)), await outcome(mm.rangeFault(request))]).toEqual(['EFAULT', 'EFAULT'])
    await expect(mm.read(page(0), 1)).rejects.toMatchObject({ cause: device.failure })
    device.failure = new Error('a bug of the driver')
    await expect(mm.access('read', page(0), bytes(0))).rejects.toBe(device.failure)
  })

  test('a page in the device that another task has locked stays there, locked: who faults on it waits', async () => {
    const { mm, device, inDevice } = setup()
    const { frames, kernel } = mm.memory
    await anon(mm, 0, 1)
    await poke(mm, 0, 5)
    await device.take(mm, 0, 1)
    const frame = frameOf(mm.pageTable.get(page(0)))
    frames.tryLock(frame)
    const request = { start: page(0), end: page(1), owner: device, select: 'devicePrivate', faultFrame: frame } as const
    const moved = await mm.mmapRead(async () => device.move(await mm.migrateVma(request), () => frames.allocate()))
    expect([moved, frames.isLocked(frame), inDevice(0)]).toEqual([[false], true, true])
    const found: unknown[] = []
    const cpu = kernel.spawn('cpu', async () => { found.push(await peek(mm, 0)) })
    await kernel.idle()
    expect([cpu.finished, inDevice(0)]).toEqual([false, true])
    await mm.memory.unlockFrames([frame])
    await cpu.join()
    expect(found).toEqual([5])
  })

  test('a migration is of one area', async () => {
    const { mm, device } = setup()
    await anon(mm, 0, 1)
    expect(await outcome(device.take(mm, 0, 2))).toBe('EINVAL')
    expect(await outcome(mm.migrateVma({ start: page(0), end: page(1), owner: device, select: 'system' }))).toBe('LOCKDEP')
  })
})

test('who faults while a page is on its way waits', async () => {
  const { mm, device } = setup()
  const { kernel } = mm.memory
  await anon(mm, 0, 1)
  await poke(mm, 0, 3)
  const done: string[] = []
  const gate = kernel.waitQueue('gate')
  let open = false
  const migrating = kernel.spawn('migrate', () =>
    mm.mmapRead(async () => {
      const migration = await mm.migrateVma({ start: page(0), end: page(1), owner: device, select: 'system' })
      await gate.until(() => open)
      await migration.finalize()
      done.push('migrate')
    }),
  )
  const reading = kernel.spawn('read', async () => { done.push(`read ${await peek(mm, 0)}`) })
  await kernel.condResched()
  expect(done).toEqual([])
  open = true
  await gate.wakeAll()
  await migrating.join()
  await reading.join()
  expect(done).toEqual(['migrate', 'read 3'])
})

describe('rangeFault and pages in the memory of a device', () => {
  async function ask(mm: Mm, access: 'snapshot' | 'read' | 'write', owner?: unknown, requests?: number[]): Promise<number[] | 'busy'> {
    const notifier = await mm.notifiers.insert({ start: 0, last: 2 ** 52 }, { invalidate: async (it, _, seq) => { await it.setSeq(seq); return true } })
    const request = { notifier, seq: await notifier.readBegin(), start: page(0), end: page(2), access, owner, ...(requests && { requests }) }
    const result = await mm.rangeFault(request)
    await notifier.remove()
    return result === 'busy' ? result : [...result.pfns]
  }

  test('the owner gets them as they are, others have them brought back', async () => {
    const { mm, device, inDevice } = setup()
    await anon(mm, 0, 2)
    await poke(mm, 0, 1)
    await poke(mm, 1, 1)
    await device.take(mm, 0, 1)
    const frame = device.pages.end - 1
    expect(await ask(mm, 'read', device)).toEqual([(frame << PFN_SHIFT) | 3, mm.pageTable.get(page(1)) & ~12])
    expect(await ask(mm, 'snapshot')).toEqual([0, mm.pageTable.get(page(1)) & ~12])
    expect(inDevice(0)).toBe(true)
    expect(await ask(mm, 'read')).toBe('busy')
    expect(inDevice(0)).toBe(false)
  })

  test('each page may be asked for by itself; the rest is a snapshot', async () => {
    const { mm } = setup()
    await anon(mm, 0, 1)
    await anon(mm, 1, 1, PROT_NONE)
    expect(await ask(mm, 'snapshot', undefined, [PFN_VALID, 0])).toEqual([PFN_VALID, 4])
    expect(await outcome(ask(mm, 'snapshot', undefined, [0, PFN_VALID]))).toBe('EFAULT')
  })
})

test('areas stay apart by their private pages', async () => {
  const { mm } = setup()
  const lines = (): string => [...mm.vmas()].map(({ start, end }) => `${(start - page(0)) / 4096}-${(end - page(0)) / 4096}`).join(' ')
  await anon(mm, 0, 2)
  await anon(mm, 4, 2)
  await mm.write(page(0), bytes(1))
  await mm.write(page(4), bytes(1))
  await anon(mm, 2, 2)
  expect([lines(), maps(mm)]).toEqual(['0-4 4-6', '0-6 rw-p'])
  // What has private pages does not join what has none, but the other way round it does.
  await anon(mm, 8, 1, PROT_READ)
  await anon(mm, 9, 1)
  await mm.write(page(9), bytes(1))
  await mm.mprotect(page(8), pages(1), RW)
  expect(lines()).toBe('0-4 4-6 8-10')
})

test('a page that comes into being in RAM can be reached as its area allows', async () => {
  const { mm, device } = setup()
  await anon(mm, 0, 1)
  await mm.mprotect(page(0), pages(1), PROT_NONE)
  expect(await device.giveBack(mm, 0, 1)).toEqual([true])
  expect(await outcome(peek(mm, 0))).toBe('EFAULT')
})
