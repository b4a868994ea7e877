import { checkLeaks, Device, findFailure, StaleOracle, type Driver, type DriverHost } from '@mmu-notifier/driver'
import { createKernel } from '@mmu-notifier/kernel'
import { MADV_DONTNEED, MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nouveau } from '../src/index.ts'

const SOURCES = { 'nouveau.ts': '../src/nouveau.ts', 'per-area.ts': '../../driver/src/per-area.ts' }
const IMPORT = "import { cutIntervals, defineDriver, findOrInsert, mirrorPages, removeIntervals, type Driver } from '@mmu-notifier/driver'"
const OWN_IMPORT = "import { defineDriver, mirrorPages, type Driver } from '@mmu-notifier/driver'\nimport { cutIntervals, findOrInsert, removeIntervals } from './per-area.ts'"

/** The driver's own source, and that of its intervals, with one line changed. */
async function mutant(name: string, from: string, to: string): Promise<Driver> {
  const folder = join(import.meta.dirname, 'mutants', name)
  mkdirSync(folder, { recursive: true })
  let found = 0
  for (const [file, path] of Object.entries(SOURCES)) {
    const source = readFileSync(join(import.meta.dirname, path), 'utf8')
    found += source.split(from).length - 1
    writeFileSync(join(folder, file), source.replace(IMPORT, OWN_IMPORT).replace(from, to))
  }
  if (found !== 1) throw new Error(`expected exactly one ${JSON.stringify(from)} in the driver, found ${found}`)
  const module = (await import(join(folder, 'nouveau.ts'))) as { nouveau: Driver }
  return module.nouveau
}

test('no run of 300 shows anything', async () => {
  expect(await findFailure(nouveau, { seeds: 300 })).toBeUndefined()
})

test('munmap punches a hole while the process ends', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const kernel = createKernel({ preemption: { seed, probability: 0.5 } })
    const mm = new PhysicalMemory(kernel).createMm('mm')
    const area = await mm.mmap(0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
    const device = await Device.attach(kernel, { driver: nouveau, mm })
    new StaleOracle(kernel).watch(device)
    for (let n = 0; n < 3; n++) await device.touch(area + n * PAGE_SIZE, 'write')
    const unmap = kernel.spawn('cpu1', () => mm.munmap(area + PAGE_SIZE, PAGE_SIZE).catch((error: unknown) => { expect([seed, error]).toMatchObject([seed, { code: 'ESRCH' }]) }))
    const exit = kernel.spawn('cpu2', () => mm.exit())
    for (const task of [unmap, exit]) await task.join()
    await device.detach()
    checkLeaks(mm, [device.mmu])
    expect([seed, mm.memory.frames.used]).toEqual([seed, 1])
  }
})

test('an interval is cut by munmap only', async () => {
  const kernel = createKernel()
  const mm = new PhysicalMemory(kernel).createMm('mm')
  const area = await mm.mmap(0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
  const device = await Device.attach(kernel, { driver: nouveau, mm })
  await device.touch(area, 'write')
  let released = 0
  kernel.on('mmu_notifier:release', () => { released++ })
  await mm.madvise(area, PAGE_SIZE, MADV_DONTNEED)
  await mm.mprotect(area, PAGE_SIZE, PROT_READ)
  expect([released, mm.notifiers.outstanding]).toEqual([0, 1])
  await mm.munmap(area + PAGE_SIZE, PAGE_SIZE)
  expect([released, mm.notifiers.outstanding]).toEqual([1, 2])
  await device.detach()
  expect([released, mm.notifiers.outstanding]).toEqual([3, 0])
})

test('where nobody may wait, it refuses while its mutex is held, and does not when it is free', async () => {
  const kernel = createKernel()
  const mm = new PhysicalMemory(kernel).createMm('mm')
  const area = await mm.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
  const flushed = kernel.completion('flushed')
  const slow: Driver = { ...nouveau, attach(host) {
    const unmap = async (interval: { start: number; last: number }) => {
      await flushed.wait()
      await host.mmu.unmap(interval)
    }
    return nouveau.attach({ ...host, mmu: { map: host.mmu.map.bind(host.mmu), unmap } as DriverHost['mmu'] })
  } }
  const device = await Device.attach(kernel, { driver: slow, mm })
  await device.touch(area, 'write')
  const reaped = { start: area, end: area + PAGE_SIZE, event: 'clear' } as const
  const cpu = kernel.spawn('cpu', () => mm.madvise(area, PAGE_SIZE, MADV_DONTNEED))
  await kernel.idle()
  expect(await mm.notifiers.invalidateRangeStartNonblock(reaped)).toBe('EAGAIN')
  await flushed.completeAll()
  await cpu.join()
  const range = await mm.notifiers.invalidateRangeStartNonblock(reaped)
  if (range === 'EAGAIN') throw new Error('refused, and nobody holds the mutex')
  await mm.notifiers.invalidateRangeEnd(range)
  await device.detach()
})

test.each<[string, string, string, RegExp]>([
  ['set-seq-is-skipped', 'await notifier.setSeq(seq)', '', /^seed \d+: STALE {2}page 0x7f0000\w{6}/],
  ['the-flush-is-dropped', 'await mmu.unmap(range.within(notifier))', 'await mmu.clear(range.within(notifier))', /^seed \d+: STALE {2}page 0x7f0000\w{6} is (still )?in the TLB of nouveau:mm /],
  ['freed-right-after-the-async-put', 'await notifier.removeDeferred()', '{ await notifier.removeDeferred(); notifier.free() }', /^seed \d+: UAF .* uses the notifier \[0x7f0000\w{6}, 0x7f0000\w{6}\] of mm in [\w ]+, which \w+ has freed/],
  ['the-reference-is-taken-after-the-unlock', 'await found.get() // before the unlock: afterwards it may be gone\n      return found', 'await tree.unlock()\n      await found.get()\n      return found', /^seed \d+: /],
  ['what-is-cut-off-is-not-covered', 'insert: rest.map((interval) => ({ interval, ops }))', 'insert: []', /^seed \d+: STALE {2}page/],
  ['the-last-reference-is-not-put', 'await notifier.put()', '', /^seed \d+: DEADLOCK .*wait mmu_notifier_subscriptions_wq/s],
])('%s', async (name, from, to, message) => {
  const failure = await findFailure(await mutant(name, from, to), { seeds: 1000 })
  expect(`seed ${failure?.seed ?? 'none'}: ${failure?.error.message ?? ''}`).toMatch(message)
})
