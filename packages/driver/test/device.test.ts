import { MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'
import { expect, test } from 'vitest'
import { checkLeaks, defineDriver, Device, mirrorPages, removeIntervals, StaleOracle, type DriverHost, type Violation } from '../src/index.ts'
import { careless, rig } from './careless.ts'

test('the service hands faults to the driver and replays the device', async () => {
  const { kernel, mm, area, memory } = await rig()
  const device = await Device.attach(kernel, { driver: careless(), mm })
  expect(await device.read(area, 1)).toEqual(Uint8Array.of(7))
  await device.write(area + PAGE_SIZE, Uint8Array.of(9))
  expect(await mm.read(area + PAGE_SIZE, 1)).toEqual(Uint8Array.of(9))
  await device.detach()
  expect([kernel.tasks.map(({ name }) => name), memory.frames.used > 1]).toEqual([['main'], true])
})

test('faults of one page are coalesced, a write for its reads; another page is another fault', async () => {
  const { kernel, mm, area } = await rig()
  const seen: string[] = []
  const driver = careless()
  const device = await Device.attach(kernel, {
    mm,
    driver: { ...driver, async attach(host: DriverHost) {
      const attached = await driver.attach(host)
      return { ...attached, fault(address, access) {
        seen.push(`${access} ${(address - area) / PAGE_SIZE}`)
        return attached.fault(address, access)
      } }
    } },
  })
  const engines = ([[2, 'read'], [1, 'read'], [1, 'write'], [1, 'read']] as const).map(([page, access], n) =>
    kernel.spawn(`engine${n}`, () => device.touch(area + page * PAGE_SIZE, access)))
  for (const engine of engines) await engine.join()
  expect(seen).toEqual(['write 1', 'read 2'])
})

test('where a page may not be written, it is read', async () => {
  const { kernel, mm, area } = await rig()
  await mm.mprotect(area, PAGE_SIZE, PROT_READ)
  const device = await Device.attach(kernel, { driver: careless(), mm })
  const outcomes: unknown[] = []
  const engines = (['read', 'write', 'read'] as const).map((access, n) => kernel.spawn(`engine${n}`, async () => {
    outcomes[n] = await device.touch(area, access).then(() => 'done', (error: unknown) => (error as { code?: unknown }).code)
  }))
  for (const engine of engines) await engine.join()
  expect(outcomes).toEqual(['done', 'EFAULT', 'done'])
  await device.detach()
})

test('an access that is allowed by now does not end with one that was not', async () => {
  const { kernel, mm, area } = await rig()
  await mm.mprotect(area, PAGE_SIZE, PROT_READ)
  const allowed = kernel.completion('allowed')
  const driver = careless()
  const device = await Device.attach(kernel, {
    mm,
    driver: { ...driver, async attach(host: DriverHost) {
      const attached = await driver.attach(host)
      return { ...attached, fault: (address, access) => attached.fault(address, access).finally(() => allowed.wait()) }
    } },
  })
  const early = kernel.spawn('early', () => device.write(area, Uint8Array.of(8)))
  await kernel.idle()
  await mm.mprotect(area, PAGE_SIZE, PROT_READ | PROT_WRITE)
  const late = kernel.spawn('late', () => device.write(area, Uint8Array.of(9)))
  await kernel.idle()
  await allowed.completeAll()
  await expect(early.join()).rejects.toMatchObject({ code: 'EFAULT' })
  await late.join()
  expect(await mm.read(area, 1)).toEqual(Uint8Array.of(9))
})

test('what the driver throws ends the access, not the device', async () => {
  const { kernel, mm, area } = await rig()
  const device = await Device.attach(kernel, { driver: careless(), mm })
  await expect(device.read(0x1000, 1)).rejects.toMatchObject({ code: 'EFAULT' })
  expect(await device.read(area, 1)).toEqual(Uint8Array.of(7))
  await device.detach()
})

test('after the end of the address space a fault is EFAULT, and the driver is not asked', async () => {
  const { kernel, mm, area } = await rig()
  const device = await Device.attach(kernel, { driver: careless({ fault: () => Promise.reject(new Error('asked')) }), mm })
  await mm.exit()
  await expect(device.read(area, 1)).rejects.toMatchObject({ code: 'EFAULT', message: 'EFAULT  careless:mm: the address space has ended' })
  await device.detach()
})

test('a driver that fails to attach, or to detach, leaves the address space as it was', async () => {
  const { kernel, mm } = await rig()
  const { count } = mm.notifiers.operations.mm
  const failing = defineDriver({ name: 'failing', attach: () => Promise.reject(new Error('no such device')) })
  await expect(Device.attach(kernel, { driver: failing, mm })).rejects.toThrow('no such device')
  await expect(Device.attach(kernel, { driver: careless(), mm, mmu: { tlbEntries: 0 } })).rejects.toThrow(RangeError)
  const device = await Device.attach(kernel, { driver: careless({ detach: () => Promise.reject(new Error('busy')) }), mm })
  expect(count.value).toBe(2)
  await expect(device.detach()).rejects.toThrow('busy')
  expect(count.value).toBe(1)
})

test('a device is closed once, and then used no more', async () => {
  const { kernel, mm, area } = await rig()
  const device = await Device.attach(kernel, { driver: careless(), mm })
  await device.touch(area, 'read')
  await device.detach()
  const closed = { code: 'EBADF', message: 'EBADF  careless:mm: the device is closed' }
  for (const use of [() => device.detach(), () => device.read(area, 1), () => device.write(area + PAGE_SIZE, Uint8Array.of(8)), () => device.touch(0, 'read')]) {
    await expect(use()).rejects.toMatchObject(closed)
  }
  expect(mm.notifiers.operations.mm.count.value).toBe(1)
})

test('a device whose service has died is closed all the same, and says what it died of', async () => {
  const { kernel, mm, area } = await rig()
  let detached = 0
  const device = await Device.attach(kernel, { driver: careless({ detach: async () => { detached++ } }), mm })
  kernel.on('mmu:replay', () => { throw new Error('no replay') })
  const access = kernel.spawn('access', () => device.touch(area, 'read'))
  await kernel.condResched()
  await expect(device.detach()).rejects.toThrow('no replay')
  expect([detached, mm.notifiers.operations.mm.count.value, access.finished]).toEqual([1, 1, false])
})

test('removeIntervals lets the tree thaw, and the intervals go, when unmap fails', async () => {
  const { mm, area } = await rig()
  const ops = { invalidate: async () => true }
  await mm.notifiers.insert({ start: area, last: area + PAGE_SIZE - 1 }, ops)
  await expect(removeIntervals(mm, ops, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
  expect([mm.notifiers.active, mm.notifiers.outstanding]).toEqual([0, 0])
})

test('mirrorPages goes round until no invalidation came between', async () => {
  const { kernel, mm, area } = await rig()
  const lock = kernel.mutex('driver.lock')
  let rounds = 0
  const driver = defineDriver({
    name: 'once',
    async attach(host) {
      const notifier = await host.mm.notifiers.insert({ start: area, last: area + PAGE_SIZE - 1 }, {
        invalidate: (n, range, seq) => lock.with(async () => {
          rounds++
          await n.setSeq(seq)
          await host.mmu.unmap(range.within(n))
          return true
        }),
      })
      return {
        async fault(address, access) { await mirrorPages(host, notifier, lock, { ...host.mm.pageAt(address), access }) },
        async detach() {
          await host.mmu.unmap({ start: 0, last: Number.MAX_SAFE_INTEGER })
          await notifier.remove()
        },
      }
    },
  })
  const device = await Device.attach(kernel, { driver, mm })
  const disturber = kernel.spawn('disturber', async () => {
    for (let i = 0; i < 3; i++) {
      await mm.notifiers.invalidate({ start: area, end: area + 1, event: 'clear' }, () => kernel.condResched())
      await kernel.condResched()
    }
  })
  expect(await device.read(area, 1)).toEqual(Uint8Array.of(7))
  await disturber.join()
  expect(rounds).toBe(3)
  await device.detach()
  checkLeaks(mm, [device.mmu])
})

test('mirrorPages returns when it has programmed, not when it must retry', async () => {
  const { kernel, mm, area } = await rig()
  const lock = kernel.mutex('driver.lock')
  let mapped = 0
  let retries = 0
  kernel.on('mmu_notifier:read_retry', (_notifier, _seq, retry) => { if (retry) retries++ })
  const notifier = await mm.notifiers.insert({ start: area, last: area + PAGE_SIZE - 1 }, {
    invalidate: (n, _, seq) => n.setSeq(seq).then(() => true),
  })
  const holder = kernel.spawn('holder', () => lock.with(async () => {
    await kernel.condResched()
    await mm.notifiers.invalidate({ start: area, end: area + 1, event: 'clear' }, async () => undefined)
  }))
  const host = { kernel, mm, mmu: { map: async () => { mapped++ } } as never }
  await kernel.condResched()
  expect(await mirrorPages(host, notifier, lock, { ...mm.pageAt(area), access: 'read' })).toBe(true)
  await holder.join()
  expect([mapped, retries]).toEqual([1, 1])
  await notifier.remove()
})

test('mirrorPages gives up on a dying notifier', async () => {
  const { kernel, mm, area } = await rig()
  const notifier = await mm.notifiers.insert({ start: area, last: area + PAGE_SIZE - 1 }, { invalidate: async () => true })
  await notifier.get()
  await notifier.removeDeferred()
  const host = { kernel, mm, mmu: undefined as never }
  expect(await mirrorPages(host, notifier, kernel.mutex('driver.lock'), { ...mm.pageAt(area), access: 'read' })).toBe(false)
  await notifier.put()
})

test('STALE: a freed frame, an entry that is no more, another frame, a permission that is gone; each names page and device', async () => {
  const { kernel, mm, area } = await rig()
  const found: Violation[] = []
  const oracle = new StaleOracle(kernel, (violation) => { found.push(violation) })
  const device = await Device.attach(kernel, { driver: careless(), mm })
  oracle.watch(device)
  const messages = async (operation: () => Promise<unknown>): Promise<string[]> => {
    await device.touch(area, 'write')
    found.length = 0
    await operation()
    return found.map(({ message }) => message.replace(/frame \d+/g, 'frame F').replaceAll(area.toString(16), 'AREA').replaceAll((area + PAGE_SIZE).toString(16), 'NEXT'))
  }
  expect(await messages(() => mm.mprotect(area, PAGE_SIZE, PROT_READ))).toEqual([
    'STALE  page 0xAREA is still writable in the page table of careless:mm after protectionVma of [0xAREA, 0xNEXT), but not for the CPU',
    'STALE  page 0xAREA is still writable in the TLB of careless:mm after protectionVma of [0xAREA, 0xNEXT), but not for the CPU',
  ])
  await mm.mprotect(area, PAGE_SIZE, PROT_READ | PROT_WRITE)
  expect(await messages(() => mm.munmap(area, PAGE_SIZE))).toEqual([
    'STALE  page 0xAREA is still in the page table of careless:mm after its frame F was freed by main',
    'STALE  page 0xAREA is still in the TLB of careless:mm after its frame F was freed by main',
    'STALE  page 0xAREA is still in the page table of careless:mm after unmap of [0xAREA, 0xNEXT), but the CPU does not map it',
    'STALE  page 0xAREA is still in the TLB of careless:mm after unmap of [0xAREA, 0xNEXT), but the CPU does not map it',
  ])
  expect(oracle.checked).toBeGreaterThan(1)
  expect(found[0]).toMatchObject({ oracle: 'STALE', page: area })
  found.length = 0
  oracle.check()
  expect(found.map(({ message }) => message.replace(area.toString(16), 'AREA'))).toEqual([
    'STALE  page 0xAREA is still in the page table of careless:mm at rest, but the CPU does not map it',
    'STALE  page 0xAREA is still in the TLB of careless:mm at rest, but the CPU does not map it',
  ])
})

test('LEAK: entries and notifiers that detach leaves behind', async () => {
  const { kernel, mm, area } = await rig()
  const device = await Device.attach(kernel, { driver: careless(), mm })
  await device.touch(area, 'read')
  await mm.notifiers.insert({ start: 0, last: 1 }, { invalidate: async () => true })
  await device.detach()
  const found: string[] = []
  checkLeaks(mm, [device.mmu], ({ message }) => { found.push(message.replace(area.toString(16), 'AREA')) })
  expect(found).toEqual([
    'LEAK  page 0xAREA is still in the page table of careless:mm after detach',
    'LEAK  page 0xAREA is still in the TLB of careless:mm after detach',
    'LEAK  1 notifiers of mm are left after every device was detached',
  ])
})

test('the STALE oracle counts its looks, ends with unwatch and close, and minds frames and ranges of any size', async () => {
  const { kernel, mm, area, memory } = await rig()
  const found: string[] = []
  const oracle = new StaleOracle(kernel, ({ message }) => { found.push(message) })
  const device = await Device.attach(kernel, { driver: careless(), mm })
  oracle.watch(device)
  await mm.notifiers.invalidate({ start: 2 ** 50, end: 2 ** 50 + PAGE_SIZE, event: 'clear' }, async () => undefined) // beyond what the device can address
  expect([oracle.checked, found]).toEqual([1, []])

  while (memory.frames.used < 1100) memory.frames.allocate()
  const late = await mm.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
  await device.touch(late, 'write')
  await mm.munmap(late, PAGE_SIZE)
  expect(found.length).toBeGreaterThan(0)
  expect(oracle.checked).toBe(3) // a frame and a range more

  await device.touch(area, 'write')
  found.length = 0
  oracle.unwatch(device)
  await mm.mprotect(area, PAGE_SIZE, PROT_READ)
  expect([found, oracle.checked]).toEqual([[], 3])
  oracle.watch(await Device.attach(kernel, { driver: careless(), mm, name: 'second' }))
  oracle.close()
  await mm.munmap(area, PAGE_SIZE)
  expect([found, oracle.checked]).toEqual([[], 3])
  expect(() => { oracle.watch(device) }).toThrow('maps pages already: watch it from the start')
  await device.mmu.clear({ start: 0, last: Number.MAX_SAFE_INTEGER })
  expect(() => { oracle.watch(device) }).toThrow('maps pages already: watch it from the start') // by its TLB
  await device.mmu.flush({ start: 0, last: Number.MAX_SAFE_INTEGER })
  oracle.watch(device)
})
