import { Device } from '@mmu-notifier/driver'
import { nouveau } from '@mmu-notifier/driver-nouveau'
import { FakeMmu } from '@mmu-notifier/fake-mmu'
import { explore, type Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'
import { PAGE_SIZE, PFN_SHIFT, PFN_VALID, PhysicalMemory } from '@mmu-notifier/mm'
import { expect, test } from 'vitest'

/** What the reduction calls exhausted is every interleaving: the checker knows what each task waits for. */
async function reducesNothingAway<State>(scenario: Scenario<State>): Promise<void> {
  const [all, reduced] = [await explore(scenario, { strategy: 'bounded', preemptions: 100 }), await explore(scenario, { strategy: 'dpor' })]
  expect([all.verdict, reduced.verdict, reduced.traces]).toEqual(['exhausted', 'exhausted', all.traces])
}

/** A device that maps one page. */
async function setup(kernel: Kernel): Promise<FakeMmu> {
  const { frames } = new PhysicalMemory(kernel)
  const mmu = new FakeMmu(kernel, { name: 'gpu', frames })
  await mmu.map({ start: PAGE_SIZE, end: 2 * PAGE_SIZE, pfns: Int32Array.of((frames.allocate() << PFN_SHIFT) | PFN_VALID) })
  return mmu
}

test('a flush waits for the access that it overtakes', () => reducesNothingAway({
  setup,
  tasks: { engine: (mmu) => mmu.touch(PAGE_SIZE, 'read'), driver: (mmu) => mmu.flush({ start: 0, last: 2 * PAGE_SIZE }) },
}))

test('a driver waits for a fault, and the fault for the driver', () => reducesNothingAway({
  setup,
  tasks: {
    engine: (mmu) => mmu.touch(0, 'read').catch(() => undefined),
    async driver(mmu) {
      await mmu.waitForFaults(() => false)
      await mmu.cancel(await mmu.takeFaults(), new Error('enough'))
    },
  },
}))

test('a device that is closed stops its service', () => reducesNothingAway({
  setup: (kernel) => Device.attach(kernel, { driver: nouveau, mm: new PhysicalMemory(kernel).createMm('mm') }),
  tasks: {
    async main(device) {
      await device.mmu.replay()
      await device.detach()
    },
  },
}))
