import type { IntervalNotifier } from '@mmu-notifier/core'
import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import {
  MADV_DONTNEED, MADV_REMOVE, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, MREMAP_FIXED, MREMAP_MAYMOVE, PAGE_SIZE, PFN_SHIFT,
  PhysicalMemory, PROT_READ, type Mm, type VmFile,
} from '../src/index.ts'
import { bytes, outcome, page, pages, pick, random, RW } from './helpers.ts'

const WINDOW = 12
const ANON = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED

interface Device {
  work(): Promise<void>
  detach(): Promise<void>
}

/** A device as the protocol wants it: programmed under the user lock, after readRetry. */
async function device(mm: Mm, kernel: Kernel, draw: (n: number) => number, steps: number): Promise<Device> {
  const lock = kernel.mutex('device.lock')
  const entries = new Map<number, number>()
  const notifier: IntervalNotifier = await mm.notifiers.insert({ start: page(0), last: page(WINDOW) - 1 }, {
    async invalidate(it, range, seq) {
      await lock.lock()
      await it.setSeq(seq)
      const { start, last } = range.within(it)
      for (let n = (start - page(0)) / PAGE_SIZE; page(n) <= last; n++) entries.delete(n)
      await lock.unlock()
      return true
    },
  })
  kernel.on('mm:frame_free', (frame) => {
    const stale = [...entries].find(([, held]) => held === frame)
    if (stale) throw new Error(`STALE  the device maps page ${stale[0]} to frame ${frame}, which is freed by ${kernel.current.name}`)
  })
  const fault = async (first: number, count: number): Promise<void> => {
    for (;;) {
      const seq = await notifier.readBegin()
      const access = draw(2) ? 'read' : 'write'
      const result = await mm.rangeFault({ notifier, seq, start: page(first), end: page(first + count), access })
      if (result === 'busy') continue
      await lock.lock()
      const retry = await notifier.readRetry(seq)
      if (!retry) result.pfns.forEach((pfn, i) => entries.set(first + i, pfn >> PFN_SHIFT))
      await lock.unlock()
      if (!retry) return
    }
  }
  return {
    async work() {
      for (let step = 0; step < steps; step++) {
        const first = draw(WINDOW)
        expect(['EFAULT', 'EPERM', undefined]).toContain(await outcome(fault(first, 1 + draw(Math.min(4, WINDOW - first)))))
      }
    },
    detach: () => notifier.remove(),
  }
}

/** What a CPU does, at random; the errnos of bad luck are no errors. */
async function cpu(mm: Mm, file: VmFile, draw: (n: number) => number, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const n = draw(WINDOW)
    const at = page(n)
    const size = pages(1 + draw(Math.min(4, WINDOW - n)))
    const call = pick<() => Promise<unknown>>(draw, [
      () => mm.mmap(at, size, RW, ANON),
      () => mm.mmap(at, size, RW, MAP_FIXED | pick(draw, [MAP_PRIVATE, MAP_SHARED]), file, pages(draw(4))),
      () => mm.munmap(at, size),
      () => mm.mprotect(at, size, pick(draw, [PROT_READ, RW])),
      () => mm.mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, page(draw(WINDOW - 4))),
      () => mm.madvise(at, size, pick(draw, [MADV_DONTNEED, MADV_REMOVE])),
      () => mm.write(at, bytes(step)),
      () => mm.write(at, bytes(step)),
      () => mm.read(at, PAGE_SIZE),
      () => file.truncate(pages(1 + draw(8))),
      () => file.punchHole(pages(draw(8)), pages(2)),
      async () => {
        const child = await mm.fork('child')
        await outcome(child.write(at, bytes(step)))
        await child.exit()
      },
    ])
    expect([undefined, 'EFAULT', 'ENOMEM', 'EINVAL', 'EACCES']).toContain(await outcome(call().then(() => undefined)))
  }
}

const SEEDS = Array.from({ length: 12 }, (_, i) => 1 + i)

test.each(SEEDS)('no device maps a freed frame, and nothing leaks, whatever the schedule, seed %d', async (seed) => {
  const kernel = createKernel({ preemption: { seed, probability: 0.3 } })
  const memory = new PhysicalMemory(kernel)
  const mm = memory.createMm('mm')
  const file = memory.createFile({ name: 'f', size: pages(8) })
  const steps = 60
  const gpu = await device(mm, kernel, random(seed), steps)
  const tasks = [
    kernel.spawn('cpu1', () => cpu(mm, file, random(seed + 100), steps)),
    kernel.spawn('cpu2', () => cpu(mm, file, random(seed + 200), steps)),
    kernel.spawn('device', () => gpu.work()),
  ]
  for (const task of tasks) await task.join()
  await mm.exit()
  await gpu.detach()
  await file.unlink()
  expect(memory.frames.used).toBe(1)
  expect(mm.pageTable.entries).toBe(0)
})

test('a hole that is punched while a fork is under way is a hole in the child too', async () => {
  const kernel = createKernel()
  const memory = new PhysicalMemory(kernel)
  const parent = memory.createMm('parent')
  const file = memory.createFile({ name: 'f', size: pages(2) })
  await file.write(0, bytes(7))
  await parent.mmap(page(0), pages(2), RW, ANON) // copied first; its event is the moment
  await parent.mmap(page(2), pages(2), RW, MAP_PRIVATE | MAP_FIXED, file)
  await parent.read(page(2), 1)
  await parent.write(page(0), bytes(1))
  await parent.write(page(3), bytes(1)) // so that fork copies the entries of the file, too
  let punch = kernel.spawn('nothing', async () => undefined)
  await parent.notifiers.insert({ start: page(0), last: page(1) - 1 }, {
    async invalidate(it, range, seq) {
      await it.setSeq(seq)
      if (range.event !== 'protectionPage') return true
      punch = kernel.spawn('punch', () => file.punchHole(0, PAGE_SIZE)) // waits for the mmap lock that fork holds
      await kernel.condResched()
      return true
    },
  })
  const child = await parent.fork('child')
  await punch.join()
  expect([await child.read(page(2), 1), await parent.read(page(2), 1)]).toEqual([bytes(0), bytes(0)])
})

test('a page that goes away while its copy is announced is not copied from nothing', async () => {
  const kernel = createKernel()
  const memory = new PhysicalMemory(kernel)
  const mm = memory.createMm('mm')
  const file = memory.createFile({ name: 'f', size: PAGE_SIZE })
  await file.write(0, bytes(7, 7))
  await mm.mmap(page(0), PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, file)
  await mm.read(page(0), 1)
  const announced = kernel.waitQueue('announced')
  let events = 0
  const dontNeed = kernel.spawn('dontneed', async () => {
    await announced.until(() => events === 1)
    await mm.madvise(page(0), PAGE_SIZE, MADV_DONTNEED)
  })
  await mm.notifiers.insert({ start: page(0), last: page(1) - 1 }, {
    async invalidate(it, _, seq) {
      await it.setSeq(seq)
      if (++events > 1) return true
      await announced.wakeAll()
      await dontNeed.join()
      return true
    },
  })
  await mm.write(page(0), bytes(9))
  expect([await mm.read(page(0), 2), events]).toEqual([bytes(9, 7), 2])
})
