import { Device } from '@mmu-notifier/driver'
import { nouveau } from '@mmu-notifier/driver-nouveau'
import { FakeMmu } from '@mmu-notifier/fake-mmu'
import { explore, type Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'
import { PAGE_SIZE, PFN_SHIFT, PFN_VALID, PhysicalMemory, type FrameTable } from '@mmu-notifier/mm'
import { describe, expect, test } from 'vitest'

/** What the reduction calls exhausted is every interleaving: the checker knows what each task waits for. Some may come twice, before it knows what a section touches. */
async function reducesNothingAway<State>(scenario: Scenario<State>): Promise<void> {
  const [all, reduced] = [await explore(scenario, { strategy: 'bounded', preemptions: 100 }), await explore(scenario, { strategy: 'dpor' })]
  expect([all.verdict, reduced.verdict]).toEqual(['exhausted', 'exhausted'])
  expect(reduced.traces).toBeGreaterThanOrEqual(all.traces ?? Infinity)
}

/** The only page, of which the CPU maps nothing. */
const FRAME = 1

/** A device that maps it. */
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

async function lockAndUnlock(memory: PhysicalMemory): Promise<void> {
  await memory.lockFrame(FRAME)
  await memory.unlockFrames([FRAME])
}

test('a page is locked, and waited for', () => reducesNothingAway({
  setup: (kernel) => new PhysicalMemory(kernel),
  tasks: { one: lockAndUnlock, other: lockAndUnlock },
}))

test('a page that is unlocked, and nobody woken, is a lost wake-up', async () => {
  const { counterexample } = await explore({
    setup: (kernel) => new PhysicalMemory(kernel),
    tasks: {
      async careless({ frames, tableLock }) {
        if (await tableLock.section(() => frames.tryLock(FRAME))) await tableLock.section(() => { frames.unlock(FRAME) })
      },
      other: lockAndUnlock,
    },
  }, { strategy: 'dpor' })
  expect(counterexample?.code).toBe('LOST_WAKEUP')
})

describe('what a device does with the bytes of a page is ordered with what else is done with them', () => {
  /** A device that reads a page, beside the CPU. @returns what it found in all executions, and how they ended */
  async function reads(cpu: (frames: FrameTable) => void): Promise<[Set<number | undefined>, string | undefined]> {
    const found = new Set<number | undefined>()
    const { counterexample } = await explore({
      setup: async (kernel) => ({ mmu: await setup(kernel), lock: kernel.spinLock('of the CPU') }),
      tasks: {
        device: async ({ mmu }) => { found.add((await mmu.read(PAGE_SIZE, 1))[0]) },
        cpu: ({ mmu, lock }) => lock.section(() => { cpu(mmu.frames) }),
      },
    }, { strategy: 'dpor' })
    return [found, counterexample?.code]
  }

  test('it is written', async () => {
    expect(await reads((frames) => { frames.write(FRAME, 0, Uint8Array.of(7)) })).toEqual([new Set([0, 7]), undefined])
  })

  test('it is freed', async () => {
    const [, failure] = await reads((frames) => { frames.put(FRAME) })
    expect(failure).toBe('UAF')
  })
})
