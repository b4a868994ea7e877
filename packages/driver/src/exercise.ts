import { hex } from '@mmu-notifier/core'
import { createKernel, isMmuNotifierError, type Kernel } from '@mmu-notifier/kernel'
import { MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm } from '@mmu-notifier/mm'
import { checkDriver, type Driver } from './contract.ts'
import { Device, isAccessError } from './device.ts'
import { checkLeaks } from './leak.ts'
import { OracleError, type Report, type Violation } from './oracle.ts'
import { StaleOracle } from './stale.ts'

export interface ExerciseOptions {
  /** Of the program and of the scheduler, any integer; the same seed gives the same run. */
  readonly seed: number
  /** Operations of each of the four tasks, at least 1. Default: 12. */
  readonly steps?: number
  /** Pages that they fight over, 1 to 4096. Default: 6. */
  readonly pages?: number
}

const AREA = 0x7f00_0000_0000
/** The device faults each of them in once. */
const MOST_PAGES = 4096

/**
 * Runs a small random program with the driver attached, under a random scheduler, watched by the oracles: two CPUs map, unmap, protect,
 * fork and write, two engines of one device read and write the same pages; then the device is closed, beside a munmap or after the end of
 * the process. It throws what an oracle, the lock validator or the core finds. RangeError for options that are none, TypeError for a driver.
 * A run is a sample; its silence proves nothing.
 */
export async function exercise(driver: Driver, options: ExerciseOptions): Promise<void> {
  checkDriver('exercise', driver)
  if (!Number.isSafeInteger(options.seed)) throw new RangeError(`seed: expected an integer, got ${options.seed}`)
  checkSizes(options)
  // Collected, not thrown where they show: that is inside the page tables' own steps, and what breaks afterwards is a consequence.
  const violations: Violation[] = []
  try {
    await runProgram(driver, options, (violation) => { violations.push(violation) })
  } catch (error) {
    if (violations.length === 0) throw error
  }
  if (violations[0]) throw new OracleError(violations[0])
}

/** {@link exercise} with seeds 1, 2, … `seeds`, at least 1. RangeError for options that are none, TypeError for a driver. @returns the first that fails, and what it threw */
export async function findFailure(driver: Driver, options: Omit<ExerciseOptions, 'seed'> & { readonly seeds: number }): Promise<{ readonly seed: number; readonly error: Error } | undefined> {
  checkDriver('findFailure', driver)
  atLeastOne('seeds', options.seeds)
  checkSizes(options)
  for (let seed = 1; seed <= options.seeds; seed++) {
    try {
      await exercise(driver, { ...options, seed })
    } catch (error) {
      return { seed, error: error instanceof Error ? error : new Error(String(error)) }
    }
  }
  return undefined
}

function checkSizes({ steps, pages }: Pick<ExerciseOptions, 'steps' | 'pages'>): void {
  if (steps !== undefined) atLeastOne('steps', steps)
  if (pages === undefined) return
  atLeastOne('pages', pages)
  if (pages > MOST_PAGES) throw new RangeError(`pages: expected at most ${MOST_PAGES}, got ${pages}`)
}

function atLeastOne(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${what}: expected an integer >= 1, got ${value}`)
}

async function runProgram(driver: Driver, { seed, steps = 12, pages = 6 }: ExerciseOptions, report: Report): Promise<void> {
  const random = generator(seed)
  const kernel = createKernel({ preemption: { seed, probability: 0.4 } })
  const memory = new PhysicalMemory(kernel)
  const mm = memory.createMm('mm')
  const device = await Device.attach(kernel, { driver, mm, mmu: { tlbEntries: 4, faultEntries: 2 } })
  const oracle = new StaleOracle(kernel, report)
  oracle.watch(device)
  await map(mm, 0, pages)

  const pick = (n: number): number => Math.floor(random() * n)
  const tasks = [1, 2].flatMap((n) => [
    kernel.spawn(`cpu${n}`, async () => {
      for (let i = 0; i < steps; i++) await tolerate(() => changeSomething(kernel, mm, pick, pages))
    }),
    kernel.spawn(`engine${n}`, async () => {
      for (let i = 0; i < steps; i++) await tolerate(() => useDevice(device, pick, pages, report))
    }),
  ])
  for (const task of tasks) await task.join()
  if (pick(2) === 0) {
    await mm.exit() // the process may end before its device is closed
    await device.detach()
  } else await detachBesideUnmap(kernel, mm, device, pages)
  checkLeaks(mm, [device.mmu], report)
  if (mm.users > 0) await mm.exit()
  oracle.close()
  const left = memory.frames.used - 1 // but for the zero page
  if (left > 0) report({ oracle: 'LEAK', page: undefined, message: `LEAK  ${left} frames are in use after the end of every address space` })
}

/** What the device maps goes page by page, while it is closed: who stops listening has to have unmapped before. */
async function detachBesideUnmap(kernel: Kernel, mm: Mm, device: Device, pages: number): Promise<void> {
  await map(mm, 0, pages)
  for (let page = 0; page < pages; page++) await device.touch(AREA + page * PAGE_SIZE, 'write')
  const cpu = kernel.spawn('cpu', async () => {
    for (let page = 0; page < pages; page++) await mm.munmap(AREA + page * PAGE_SIZE, PAGE_SIZE)
  })
  await device.detach()
  await cpu.join()
}

/** What the program itself may not do is none of the driver's business. */
async function tolerate(operation: () => Promise<void>): Promise<void> {
  try {
    await operation()
  } catch (error) {
    if (!isAccessError(error) && !isMmuNotifierError(error, 'ENOMEM')) throw error
  }
}

async function map(mm: Mm, first: number, pages: number): Promise<void> {
  await mm.mmap(AREA + first * PAGE_SIZE, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
}

async function changeSomething(kernel: Kernel, mm: Mm, pick: (n: number) => number, pages: number): Promise<void> {
  const first = pick(pages)
  const count = 1 + pick(pages - first)
  const address = AREA + first * PAGE_SIZE
  const length = count * PAGE_SIZE
  switch (pick(8)) {
    case 0:
    case 1:
      return mm.munmap(address, length)
    case 2:
      return map(mm, first, count)
    case 3:
      return mm.mprotect(address, length, PROT_READ)
    case 4:
      return mm.mprotect(address, length, PROT_READ | PROT_WRITE)
    case 5:
      return mm.madvise(address, length, MADV_DONTNEED)
    case 6: {
      const child = await mm.fork('child')
      await kernel.condResched()
      return child.exit()
    }
    default:
      return mm.write(address, Uint8Array.of(first + 1))
  }
}

/** Only the number of a page is ever written to it, so a device that reads another one has reached a foreign frame. */
async function useDevice(device: Device, pick: (n: number) => number, pages: number, report: Report): Promise<void> {
  const page = pick(pages)
  const address = AREA + page * PAGE_SIZE
  if (pick(2) === 0) return device.write(address, Uint8Array.of(page + 1))
  const [byte] = await device.read(address, 1)
  if (byte === 0 || byte === page + 1) return
  report({ oracle: 'STALE', page: address, message: `STALE  page ${hex(address)}: ${device.name} read ${byte ?? '?'}, which was never written there` })
}

/** xorshift32: 0 <= x < 1. */
function generator(seed: number): () => number {
  let x = (seed * 0x9e3779b1) | 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) / 2 ** 32
  }
}
