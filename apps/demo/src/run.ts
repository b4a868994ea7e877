import { checkLeaks, Device, StaleOracle, type Driver, type Violation } from '@mmu-notifier/driver'
import type { DeviceAccess } from '@mmu-notifier/fake-mmu'
import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { PhysicalMemory, type Mm } from '@mmu-notifier/mm'
import { replay, type Recording, type ReplayReport } from '@mmu-notifier/recording'
import { Engine } from './engine.ts'
import { Statistics, type DriverStatistics } from './statistics.ts'

export interface RunOptions {
  readonly recording: Recording
  readonly drivers: readonly Driver[]
  /** Of the scheduler that switches between CPU, engines and fault services; the same seed gives the same run. */
  readonly seed: number
  readonly progress?: (line: number, total: number) => void
}

export interface RunReport {
  readonly replay: ReplayReport
  readonly statistics: Statistics
  /** Frees and ends of invalidations that the STALE oracle looked at. */
  readonly checked: number
  readonly violations: readonly Violation[]
  /** Notifiers that were never released, over all address spaces, and frames in use after the last one ended (but for the zero page). */
  readonly left: { readonly notifiers: number; readonly frames: number }
}

/** How often a task is interrupted at an operation where it need not wait: enough for collisions, and few enough to be fast. */
const PREEMPTION = 0.02

interface Mirror {
  readonly device: Device
  readonly engine: Engine
  readonly counters: DriverStatistics
}

/**
 * Replays a recording with drivers attached: each address space that becomes known opens a device of every driver, and each recorded page
 * fault is an access of all of its devices too, while the CPU goes on. Where no page faults were recorded, the devices read the first page
 * of every area at each checkpoint instead. The oracles look on.
 */
export async function run({ recording, drivers, seed, progress }: RunOptions): Promise<RunReport> {
  const kernel = createKernel({ preemption: { seed, probability: PREEMPTION } })
  const memory = new PhysicalMemory(kernel)
  const statistics = new Statistics(kernel)
  const violations: Violation[] = []
  const report = (violation: Violation): void => { violations.push(violation) }
  const oracle = new StaleOracle(kernel, report)
  const counters = new Map(drivers.map((driver) => [driver, statistics.driver(driver)]))
  const mirrors = new Map<Mm, Mirror[]>()
  let notifiersLeft = 0

  async function open(mm: Mm): Promise<void> {
    const opened: Mirror[] = []
    for (const [driver, count] of counters) opened.push(await attach(kernel, statistics, oracle, driver, count, mm))
    mirrors.set(mm, opened)
  }

  async function close(mm: Mm): Promise<void> {
    const opened = mirrors.get(mm) ?? []
    for (const { device, engine, counters } of opened) {
      await engine.close()
      await device.detach()
      counters.accesses += engine.performed
      counters.refused += engine.refused
      oracle.unwatch(device)
    }
    checkLeaks(mm, opened.map(({ device }) => device.mmu), report)
    mirrors.delete(mm)
    notifiersLeft += mm.notifiers.outstanding
  }

  async function use(mm: Mm, address: number, access: DeviceAccess): Promise<void> {
    for (const { engine } of mirrors.get(mm) ?? []) await engine.push(address, access)
  }

  const replayed = await replay(recording, memory, {
    mmCreated: open,
    mmExited: close,
    fault: (mm, { address, access }) => use(mm, address, access === 'write' ? 'write' : 'read'),
    async checkpoint(_, mm) {
      if (recording.hasFaults) return
      for (const { start } of [...mm.vmas()]) await use(mm, start, 'read')
    },
    ...(progress ? { progress } : {}),
  })
  await kernel.idle()
  oracle.close()
  return { replay: replayed, statistics, checked: oracle.checked, violations, left: { notifiers: notifiersLeft, frames: memory.frames.used - 1 } }
}

async function attach(kernel: Kernel, statistics: Statistics, oracle: StaleOracle, driver: Driver, counters: DriverStatistics, mm: Mm): Promise<Mirror> {
  statistics.attaching = counters
  const device = await Device.attach(kernel, { driver, mm })
  statistics.attaching = undefined
  statistics.device(device, counters)
  oracle.watch(device)
  return { device, engine: new Engine(kernel, device), counters }
}
