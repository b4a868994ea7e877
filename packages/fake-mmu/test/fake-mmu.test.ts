import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { PAGE_SIZE, PFN_SHIFT, PFN_VALID, PFN_WRITE, PhysicalMemory, type FaultedPages, type FrameTable } from '@mmu-notifier/mm'
import { expect, test } from 'vitest'
import { FakeMmu, type FakeMmuOptions } from '../src/index.ts'

interface Rig {
  kernel: Kernel
  frames: FrameTable
  mmu: FakeMmu
  /** A frame filled with `byte`. */
  frame: (byte: number) => number
}

function rig(options: Partial<FakeMmuOptions> = {}, preemption?: { seed: number; probability: number }): Rig {
  const kernel = createKernel(preemption ? { preemption } : {})
  const { frames } = new PhysicalMemory(kernel)
  return {
    kernel, frames,
    mmu: new FakeMmu(kernel, { name: 'gpu', frames, ...options }),
    frame(byte) {
      const frame = frames.allocate()
      frames.write(frame, 0, new Uint8Array(PAGE_SIZE).fill(byte))
      return frame
    },
  }
}

/** What `rangeFault` would return for one page. */
function page(address: number, frame: number, bits: number = PFN_VALID | PFN_WRITE): FaultedPages {
  return { start: address, end: address + PAGE_SIZE, pfns: Int32Array.of((frame << PFN_SHIFT) | bits) }
}

const interval = (start: number, pages = 1) => ({ start, last: start + pages * PAGE_SIZE - 1 })

test('a mapped page is read and written by DMA, across page borders', async () => {
  const { mmu, frames, frame } = rig()
  const [a, b] = [frame(1), frame(2)]
  await mmu.map({ start: 0x1000, end: 0x3000, pfns: Int32Array.of((a << 4) | 3, (b << 4) | 3) })
  expect(await mmu.read(0x1ffe, 4)).toEqual(Uint8Array.of(1, 1, 2, 2))
  await mmu.write(0x1fff, Uint8Array.of(8, 9))
  expect([frames.read(a, 4095, 1)[0], frames.read(b, 0, 1)[0]]).toEqual([8, 9])
})

test('an access that cannot be translated stalls until the driver replays it', async () => {
  const { kernel, mmu, frame } = rig()
  const reader = kernel.spawn('engine', async () => { expect(await mmu.read(0x1000, 1)).toEqual(Uint8Array.of(7)) })
  await kernel.idle()
  expect([mmu.pendingFaults, await mmu.takeFaults()]).toEqual([1, [{ address: 0x1000, access: 'read' }]])
  await mmu.map(page(0x1000, frame(7)))
  await kernel.idle()
  expect(reader.finished).toBe(false)
  await mmu.replay()
  await reader.join()
})

test('a replay that changed nothing faults again', async () => {
  const { kernel, mmu } = rig()
  kernel.spawn('engine', () => mmu.touch(0x1000, 'write'))
  for (let i = 0; i < 3; i++) {
    await kernel.idle()
    expect(await mmu.takeFaults()).toEqual([{ address: 0x1000, access: 'write' }])
    await mmu.replay()
  }
})

test('cancel ends the accesses that have reported the faults, with the error, and no others to the same page', async () => {
  const { kernel, mmu } = rig()
  const engine = (name: string, page: number, access: 'read' | 'write') => kernel.spawn(name, () => mmu.touch(page, access))
  const [bad, good] = [engine('bad', 0x1000, 'write'), [engine('reads', 0x1000, 'read'), engine('elsewhere', 0x2000, 'write')]]
  await kernel.idle()
  const faults = await mmu.takeFaults()
  good.push(engine('late', 0x1000, 'write'))
  await kernel.idle()
  await mmu.cancel(faults.filter(({ address, access }) => address === 0x1000 && access === 'write'), new Error('no such memory'))
  await expect(bad.join()).rejects.toThrow('no such memory')
  expect(good.map(({ finished }) => finished)).toEqual([false, false, false])
})

test('a write through a read-only entry faults; raising the permission flushes what was cached', async () => {
  const { kernel, mmu, frame } = rig()
  const f = frame(1)
  await mmu.map(page(0x1000, f, PFN_VALID))
  await mmu.read(0x1000, 1)
  const writer = kernel.spawn('engine', () => mmu.write(0x1000, Uint8Array.of(5)))
  await kernel.idle()
  expect(await mmu.takeFaults()).toEqual([{ address: 0x1000, access: 'write' }])
  await mmu.map(page(0x1000, f))
  await mmu.replay()
  await writer.join()
  expect(await mmu.read(0x1000, 1)).toEqual(Uint8Array.of(5))
})

test('an entry that is replaced is flushed: the next access reaches the new frame', async () => {
  const { mmu, frame } = rig()
  await mmu.map(page(0x1000, frame(1)))
  await mmu.read(0x1000, 1)
  await mmu.map(page(0x1000, frame(2)))
  expect(await mmu.read(0x1000, 1)).toEqual(Uint8Array.of(2))
})

test('a cleared entry stays usable through the TLB until the flush', async () => {
  const { kernel, mmu, frame } = rig()
  await mmu.map(page(0x1000, frame(1)))
  await mmu.read(0x1000, 1)
  await mmu.clear(interval(0x1000))
  expect(mmu.pageTable.entries).toBe(0)
  expect(await mmu.read(0x1000, 1)).toEqual(Uint8Array.of(1))
  await mmu.flush(interval(0x1000))
  const reader = kernel.spawn('engine', () => mmu.touch(0x1000, 'read'))
  await kernel.idle()
  expect([reader.finished, mmu.pendingFaults]).toEqual([false, 1])
})

test('unmap takes exactly the pages that it touches', async () => {
  const { mmu, frame } = rig()
  for (let at = 0; at < 4; at++) await mmu.map(page(at * PAGE_SIZE, frame(at)))
  await mmu.unmap({ start: PAGE_SIZE + 5, last: 2 * PAGE_SIZE })
  const left: number[] = []
  mmu.pageTable.forEachInRange(0, 4 * PAGE_SIZE, (address) => { left.push(address / PAGE_SIZE) })
  expect(left).toEqual([0, 3])
  await mmu.unmap({ start: 0, last: Number.MAX_SAFE_INTEGER })
  expect(mmu.pageTable.entries).toBe(0)
})

test('a flush is acknowledged only when the accesses that it has overtaken have ended, and they leave nothing in the TLB', async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { kernel, mmu, frames, frame } = rig({}, { seed, probability: 0.5 })
    const f = frame(1)
    await mmu.map(page(0x1000, f))
    let acknowledged = false
    let late = false
    kernel.on('mmu:tlb', (_, __, ___, after) => { late ||= acknowledged && after !== 0 })
    const engines = [1, 2, 3].map((n) => kernel.spawn(`engine ${n}`, async () => {
      expect([seed, ...(await mmu.read(0x1000, 1))]).toEqual([seed, 1])
    }))
    const driver = kernel.spawn('driver', async () => {
      await mmu.unmap(interval(0x1000))
      acknowledged = true
      frames.write(f, 0, Uint8Array.of(2)) // the frame is somebody else's now
    })
    await driver.join()
    await kernel.idle()
    for (const engine of engines) if (engine.finished) await engine.join()
    let cached = 0
    mmu.tlb.forEach(() => { cached++ })
    expect([seed, cached, late]).toEqual([seed, 0, false])
  }
})

test('a flush is acknowledged when an access that it has overtaken fails', async () => {
  let overtaken = 0
  for (let seed = 1; seed <= 100; seed++) {
    const { kernel, mmu, frames, frame } = rig({}, { seed, probability: 0.5 })
    const f = frame(1)
    await mmu.map(page(0x1000, f))
    kernel.spawn('engine', async () => {
      try {
        await mmu.read(0x1000, 1)
      } catch (error) {
        expect([seed, error]).toMatchObject([seed, { code: 'UAF' }])
        overtaken++
      }
    })
    const driver = kernel.spawn('driver', async () => {
      await mmu.clear(interval(0x1000))
      frames.put(f) // before the flush
      await mmu.flush(interval(0x1000))
    })
    await driver.join()
    await kernel.idle()
  }
  expect(overtaken).toBeGreaterThan(0)
})

test('a full fault buffer drops reports; the accesses report again at the next replay', async () => {
  const { kernel, mmu, frame } = rig({ faultEntries: 2 })
  const engines = [1, 2, 3].map((n) => kernel.spawn(`engine ${n}`, () => mmu.touch(n * PAGE_SIZE, 'read')))
  await kernel.idle()
  expect([mmu.pendingFaults, mmu.droppedFaults]).toEqual([2, 1])
  for (let round = 0; round < 2; round++) {
    for (const { address } of await mmu.takeFaults()) await mmu.map(page(address, frame(0)))
    await mmu.replay()
    await kernel.idle()
  }
  for (const engine of engines) await engine.join()
})

test('the TLB evicts what shares a slot, and tells', async () => {
  const { kernel, mmu, frame } = rig({ tlbEntries: 2 })
  const seen: string[] = []
  kernel.on('mmu:tlb', (_, address, before, after) => { seen.push(`${address / PAGE_SIZE} ${before === 0 ? '+' : after === 0 ? '-' : '='}`) })
  for (const at of [1, 3]) {
    await mmu.map(page(at * PAGE_SIZE, frame(at)))
    await mmu.read(at * PAGE_SIZE, 1)
  }
  expect(seen).toEqual(['1 +', '1 -', '3 +'])
})

test.each([-1, 2 ** 49, Number.NaN, Infinity, 0.5])('the device cannot address %d', async (address) => {
  const { mmu } = rig()
  const error = new RangeError(`gpu: expected an address in bytes, a whole number below 0x2000000000000, got ${address}`)
  await expect(mmu.touch(address, 'read')).rejects.toThrow(error)
  for (const length of [0, 4]) {
    await expect(mmu.read(address, length)).rejects.toThrow(error)
    await expect(mmu.write(address, new Uint8Array(length))).rejects.toThrow(error)
  }
})

test.each([-1, Number.NaN, Infinity, 1.5])('the device cannot read %d bytes', async (length) => {
  await expect(rig().mmu.read(0, length)).rejects.toThrow(new RangeError(`gpu: expected a length in bytes, got ${length}`))
})

test('an access that runs beyond the format ends there', async () => {
  const { mmu, frames, frame } = rig()
  const last = frame(1)
  await mmu.map(page(2 ** 49 - PAGE_SIZE, last))
  await expect(mmu.write(2 ** 49 - 1, Uint8Array.of(5, 6))).rejects.toThrow('below 0x2000000000000, got 562949953421312')
  expect(frames.read(last, PAGE_SIZE - 1, 1)[0]).toBe(5)
})

test('an access that runs beyond what numbers can say ends there', async () => {
  const { mmu, frame } = rig({ levels: [9, 9, 9, 9, 9] })
  await mmu.map(page(2 ** 53 - PAGE_SIZE, frame(1)))
  await expect(mmu.read(2 ** 53 - 1, 2)).rejects.toThrow('below 0x20000000000000, got 9007199254740992')
})

test.each<[string, Omit<FaultedPages, 'pfns'>, number]>([
  ['beyond the format', { start: 0x1ff000, end: 0x201000 }, 2],
  ['that begin inside a page', { start: 0x1ff001, end: 0x200001 }, 1],
  ['with too many entries', { start: 0x1ff000, end: 0x200000 }, 2],
  ['with too few entries', { start: 0x1fe000, end: 0x200000 }, 1],
  ['before the first', { start: -0x1000, end: 0x1000 }, 2],
  ['nowhere', { start: Number.NaN, end: 0x1000 }, 1],
])('pages %s are not mapped, none of them', async (_, pages, entries) => {
  const { mmu, frame } = rig({ levels: [9] })
  const [a, b] = [frame(1), frame(2)]
  await mmu.map(page(0x1ff000, a))
  await mmu.read(0x1ff000, 1)
  const pfns = new Int32Array(entries).fill((b << PFN_SHIFT) | PFN_VALID)
  await expect(mmu.map({ ...pages, pfns })).rejects.toThrow(new RangeError(`gpu: expected whole pages below 0x200000, an entry for each, got ${entries} for [${pages.start}, ${pages.end})`))
  expect([mmu.pageTable.entries, mmu.pageTable.get(0x1ff000) >> PFN_SHIFT, await mmu.read(0x1ff000, 1)]).toEqual([1, a, Uint8Array.of(1)])
})

test.each<{ start: number; last: number }>([
  { start: Number.NaN, last: 0x1fff }, { start: 0x1000, last: Number.NaN }, { start: 0x1fff, last: 0x1000 }, { start: -1, last: 0x1fff }, { start: 0x1000 } as never,
])('$start to $last is no interval', async (interval) => {
  const { mmu } = rig()
  const error = new RangeError(`gpu: expected an interval of bytes, start <= last, got [${interval.start}, ${interval.last}]`)
  for (const operation of [mmu.clear(interval), mmu.flush(interval), mmu.unmap(interval)]) await expect(operation).rejects.toThrow(error)
})

test('an access that is neither read nor write is a TypeError', async () => {
  await expect(rig().mmu.touch(0, 'exec' as never)).rejects.toThrow(new TypeError('gpu: expected an access, read or write, got exec'))
})

test.each([{ tlbEntries: 0 }, { faultEntries: 0 }, { tlbEntries: 1.5 }])('%o is refused', (options) => {
  expect(() => rig(options)).toThrow(RangeError)
})

test('map programs the valid pages only, and tells of each change', async () => {
  const { kernel, mmu, frame } = rig()
  const [a, b] = [frame(1), frame(2)]
  const seen: string[] = []
  kernel.on('mmu:entry', (of, address, before, after) => { seen.push(`${of.name} ${address / PAGE_SIZE}: ${before >> PFN_SHIFT} -> ${after >> PFN_SHIFT}`) })
  kernel.on('mmu:flush', (_, { start, last }) => { seen.push(`flush ${start / PAGE_SIZE}..${(last + 1) / PAGE_SIZE}`) })
  await mmu.map({ start: 0x1000, end: 0x4000, pfns: Int32Array.of((a << 4) | 1, 0, (b << 4) | 1) })
  expect(mmu.pageTable.entries).toBe(2)
  await mmu.map(page(0x1000, a, PFN_VALID)) // the same again: nothing to flush
  await mmu.unmap(interval(0x1000, 2))
  expect(seen).toEqual([`gpu 1: 0 -> ${a}`, `gpu 3: 0 -> ${b}`, `gpu 1: ${a} -> ${a}`, `gpu 1: ${a} -> 0`, 'flush 1..3'])
})

test('a flush waits for accesses to its own pages only', async () => {
  const acknowledgedEarly = { own: 0, other: 0 }
  for (let seed = 1; seed <= 100; seed++) {
    for (const [flushed, kind] of [[0x1000, 'own'], [0x2000, 'other']] as const) {
      const { kernel, mmu, frame } = rig({}, { seed, probability: 0.5 })
      await mmu.map(page(0x1000, frame(1)))
      await mmu.read(0x1000, 1)
      let inFlight = false
      const looked = kernel.on('mmu:flush', () => { inFlight = !engine.finished && started })
      let started = false
      const engine = kernel.spawn('engine', async () => {
        started = true
        await mmu.read(0x1000, 1)
      })
      const driver = kernel.spawn('driver', async () => {
        await kernel.condResched()
        await mmu.flush(interval(flushed))
        if (inFlight && !engine.finished) acknowledgedEarly[kind]++
      })
      await driver.join()
      looked()
      await kernel.idle()
    }
  }
  expect(acknowledgedEarly.other).toBeGreaterThan(acknowledgedEarly.own)
})

test('a flush drops every page that it touches, be it by a byte, and no other', async () => {
  const { mmu, frame } = rig()
  for (const at of [1, 2, 3, 4]) {
    await mmu.map(page(at * PAGE_SIZE, frame(at)))
    await mmu.touch(at * PAGE_SIZE, 'read')
  }
  await mmu.flush({ start: 2 * PAGE_SIZE, last: 3 * PAGE_SIZE - 1 })
  expect([1, 2, 3].map((at) => mmu.tlb.get(at * PAGE_SIZE) !== 0)).toEqual([true, false, true])
  await mmu.touch(2 * PAGE_SIZE, 'read')
  await mmu.flush({ start: 3 * PAGE_SIZE - 1, last: 3 * PAGE_SIZE })
  expect([1, 2, 3, 4].map((at) => mmu.tlb.get(at * PAGE_SIZE) !== 0)).toEqual([true, false, false, true])
})

test.each([{ start: 0x1fff, last: 0x2fff }, { start: 0, last: 0x1000 }])('a flush of $start to $last waits for an access to a page that it touches by a byte', async (interval) => {
  for (let seed = 1; seed <= 50; seed++) {
    const { kernel, mmu, frames, frame } = rig({}, { seed, probability: 0.5 })
    const f = frame(1)
    await mmu.map(page(0x1000, f))
    const engine = kernel.spawn('engine', async () => { expect([seed, await mmu.read(0x1000, 1)]).toEqual([seed, Uint8Array.of(1)]) })
    const driver = kernel.spawn('driver', async () => {
      await mmu.unmap(interval)
      frames.write(f, 0, Uint8Array.of(2)) // the frame is somebody else's now
    })
    await driver.join()
    await kernel.idle()
    if (engine.finished) await engine.join()
  }
})

test('of a replay and a cancel the first one counts', async () => {
  for (const first of ['replay', 'cancel'] as const) {
    const { kernel, mmu, frame } = rig()
    const engine = kernel.spawn('engine', () => mmu.touch(0x1000, 'read'))
    await kernel.idle()
    const faults = await mmu.takeFaults()
    await mmu.map(page(0x1000, frame(1)))
    if (first === 'replay') await mmu.replay()
    await mmu.cancel(faults, new Error('no such memory'))
    if (first === 'cancel') await mmu.replay()
    if (first === 'replay') await engine.join()
    else await expect(engine.join()).rejects.toThrow('no such memory')
  }
})

test('waiting for faults ends with a fault, or when told to stop', async () => {
  const { kernel, mmu } = rig()
  const events: string[] = []
  for (const name of ['mmu:fault', 'mmu:replay', 'mmu:cancel'] as const) kernel.on(name, () => { events.push(name) })
  let stop = false
  const service = kernel.spawn('service', async () => {
    await mmu.waitForFaults(() => stop)
    events.push(`woken with ${mmu.pendingFaults}`)
    await mmu.takeFaults()
    await mmu.waitForFaults(() => stop)
    events.push(`woken with ${mmu.pendingFaults}`)
  })
  await kernel.idle()
  expect(events).toEqual([])
  const engine = kernel.spawn('engine', () => mmu.touch(0x1000, 'read'))
  await kernel.idle()
  expect(events).toEqual(['mmu:fault', 'woken with 1'])
  stop = true
  await mmu.interrupt()
  await service.join()
  await mmu.replay()
  await kernel.idle()
  await mmu.cancel(await mmu.takeFaults(), new Error('enough'))
  await expect(engine.join()).rejects.toThrow('enough')
  expect(events.slice(2)).toEqual(['woken with 0', 'mmu:replay', 'mmu:fault', 'mmu:cancel'])
})
