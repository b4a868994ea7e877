import { PAGE_SIZE, PFN_VALID, type Mm } from '@mmu-notifier/mm'
import { expect, test } from 'vitest'
import { defineDriver, Device, findFailure, type Driver, type DriverHost } from '../src/index.ts'
import { careless, rig } from './careless.ts'

type Fault = (call: number, host: DriverHost, address: number, map: () => Promise<void>) => Promise<void>

/** A driver with another `fault`, which is told how many calls there were, and may `map` as the careless one does. */
function counting(fault: Fault): { driver: Driver; calls: () => number } {
  const inner = careless()
  let calls = 0
  return {
    calls: () => calls,
    driver: defineDriver({ ...inner, async attach(host) {
      const attached = await inner.attach(host)
      return { ...attached, fault: (address, access) => fault(++calls, host, address, () => attached.fault(address, access)) }
    } }),
  }
}

function invalidate(mm: Mm, page: number, body: () => Promise<void> = async () => undefined): Promise<void> {
  return mm.notifiers.invalidate({ start: page, end: page + 1, event: 'clear' }, body)
}

test.each<[string, Fault]>([
  ['does nothing', async () => undefined],
  ['maps to read only', async (_, { mm, mmu }, address) => {
    await mm.fault(address, 'read')
    await mmu.map({ ...mm.pageAt(address), pfns: Int32Array.of((mm.pageTable.get(address) & ~0xf) | PFN_VALID) })
  }],
  ['takes away what it has mapped', async (_, { mmu }, address, map) => {
    await map()
    await mmu.unmap({ start: address, last: address })
  }],
  ['invalidates what it has mapped', async (_, { mm, mmu }, address, map) => {
    await map()
    await invalidate(mm, address, () => mmu.unmap({ start: address, last: address }))
  }],
])('a fault that %s ends the access, not the device', async (_, fault) => {
  const { kernel, mm, area } = await rig()
  const { driver, calls } = counting(fault)
  const device = await Device.attach(kernel, { driver, mm })
  for (let n = 1; n <= 2; n++) {
    await expect(device.write(area, Uint8Array.of(8))).rejects.toMatchObject({
      code: 'LIVELOCK',
      message: `LIVELOCK  careless:mm: fault(0x${area.toString(16)}, write) returned, 10 times in a row, and the page is still not translated`,
    })
    expect(calls()).toBe(10 * n)
  }
  expect(await mm.read(area, 1)).toEqual(Uint8Array.of(7))
  await device.detach()
})

test.each<[string, Fault]>([
  ['is invalidated before it returns', async (call, { kernel, mm, mmu }, address, map) => {
    await map()
    if (call > 50) return
    await kernel.spawn('cpu', () => invalidate(mm, address, () => mmu.unmap({ start: address, last: address }))).join()
  }],
  ['gives up because of an invalidation that hits nothing of the device', async (call, { kernel, mm }, address, map) => {
    if (call > 50) return map()
    await kernel.spawn('cpu', () => invalidate(mm, address)).join()
  }],
  ['loses the page to another task of the driver', async (call, { kernel, mmu }, address, map) => {
    await map()
    if (call <= 50) await kernel.spawn('shrinker', () => mmu.unmap({ start: address, last: address })).join()
  }],
])('a fault that %s, fifty times, is right', async (_, fault) => {
  const { kernel, mm, area } = await rig()
  const { driver, calls } = counting(fault)
  const device = await Device.attach(kernel, { driver, mm })
  await device.write(area, Uint8Array.of(8))
  expect([calls(), await mm.read(area, 1)]).toEqual([51, Uint8Array.of(8)])
})

test('a fault that gives up while an invalidation is under way, fifty times, is right', async () => {
  const { kernel, mm, area } = await rig()
  const end = kernel.completion('end')
  await mm.notifiers.insert({ start: 0, last: 1 }, { invalidate: async () => true }) // invalidations are counted from the first on
  const { driver, calls } = counting(async (call, _, __, map) => {
    if (call > 50) await map()
    if (call === 50) await end.completeAll()
  })
  const device = await Device.attach(kernel, { driver, mm })
  kernel.spawn('cpu', () => invalidate(mm, area, () => end.wait()))
  await kernel.idle()
  await device.touch(area, 'write')
  expect(calls()).toBe(51)
})

test('a driver that has room for one page, and maps at the ninth call, is let alone', async () => {
  const { kernel, mm, area } = await rig()
  const { driver, calls } = counting(async (call, { mmu }, _, map) => {
    if (call % 9 !== 0) return
    await mmu.unmap({ start: 0, last: Number.MAX_SAFE_INTEGER })
    await map()
  })
  const device = await Device.attach(kernel, { driver, mm })
  for (let n = 0; n < 8; n++) await device.touch(area + (n % 2) * PAGE_SIZE, 'write')
  expect(calls()).toBe(72)
})

test('an invalidation of another address space is no excuse', async () => {
  const { kernel, mm, area, memory } = await rig()
  const other = memory.createMm('other')
  const { driver } = counting((_, { kernel }) => kernel.spawn('cpu', () => invalidate(other, area)).join())
  const device = await Device.attach(kernel, { driver, mm })
  await expect(device.touch(area, 'read')).rejects.toMatchObject({ code: 'LIVELOCK' })
})

test('exercise finds a driver that maps nothing', async () => {
  const { driver } = counting(async () => undefined)
  expect(await findFailure(driver, { seeds: 300 })).toMatchObject({ seed: 1, error: { code: 'LIVELOCK' } })
})
