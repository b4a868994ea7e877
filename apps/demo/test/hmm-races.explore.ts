import type { DmirrorForm } from '@mmu-notifier/driver-selftest'
import { explore } from '@mmu-notifier/explore'
import { it } from '@mmu-notifier/explore/vitest'
import { describe, expect } from 'vitest'
import { CHILD_STEPS, close, CPU_STEPS, DEVICE_STEPS, LONG, scenarioOf, type Step } from './small-programs.ts'

const { read, toDevice, exclusive } = DEVICE_STEPS
const { unmap, remap, discard, exit } = CPU_STEPS
const { fork, unmapInChild, exitChild } = CHILD_STEPS
const EXHAUST = { strategy: 'dpor', budget: 100_000, timeout: 300_000 } as const

/** One device. `warm`: the page is in its table; else it has an interval where the form makes one, and nothing in its table. */
function alone(form: DmirrorForm, device: Step, cpu: Step, { warm = false } = {}): ReturnType<typeof scenarioOf> {
  return scenarioOf({ forms: [form], pages: 1, before: warm ? [read(0, 0, 1)] : [read(0, 0, 1), discard(0, 1)], tasks: { device: [device], cpu: [cpu] } })
}

describe('anon_teardown: READ beside munmap', () => {
  it.explore('kernel', alone('kernel', read(0, 0, 1), unmap(0, 1)), EXHAUST)
  it.explore('v6', alone('v6', read(0, 0, 1), unmap(0, 1)), EXHAUST)
  it.explore('v6, of what the device knows', alone('v6', read(0, 0, 1), unmap(0, 1), { warm: true }), EXHAUST)
})

describe('anon_read_multiple: READ beside a new mapping of the same address, or new pages there', () => {
  it.explore('kernel, mapping', alone('kernel', read(0, 0, 1), remap(0, 1)), EXHAUST)
  it.explore('v6, mapping', alone('v6', read(0, 0, 1), remap(0, 1)), EXHAUST)
  it.explore('v6, mapping, of what the device knows', alone('v6', read(0, 0, 1), remap(0, 1), { warm: true }), EXHAUST)
  it.explore('kernel, pages', alone('kernel', read(0, 0, 1), discard(0, 1)), EXHAUST)
  it.explore('v6, pages', alone('v6', read(0, 0, 1), discard(0, 1)), EXHAUST)
})

describe.each<DmirrorForm>(['kernel', 'v6'])('%s: the device is closed, with a page in its table,', (form) => {
  it.explore('beside munmap', alone(form, close(0), unmap(0, 1), { warm: true }), EXHAUST)
  it.explore('beside MADV_DONTNEED', alone(form, close(0), discard(0, 1), { warm: true }), EXHAUST)
  it.explore('beside the end of the process', alone(form, close(0), exit, { warm: true }), form === 'kernel' ? EXHAUST : LONG)
})

describe("what moves pages in the kernel's form asks nobody before it stores them, though MADV_DONTNEED needs no more than the mmap lock for read", () => {
  it.explore('MIGRATE_TO_DEV', alone('kernel', toDevice(0, 0, 1), discard(0, 1)), { ...EXHAUST, fails: 'STALE' })
  it.explore('EXCLUSIVE', alone('kernel', exclusive(0, 0, 1), discard(0, 1)), { ...EXHAUST, fails: 'STALE' })
  it.explore('not so MIGRATE_TO_DEV of the v6 form', alone('v6', toDevice(0, 0, 1), discard(0, 1), { warm: true }), EXHAUST)
})

describe('a page that moves is looked for in a child that ends', () => {
  const besideChild = (...child: Step[]): ReturnType<typeof scenarioOf> =>
    scenarioOf({ forms: ['v6'], pages: 1, before: [read(0, 0, 1), fork], tasks: { device: [toDevice(0, 0, 1)], child } })
  it.explore('by exit', besideChild(exitChild), EXHAUST)
  it.explore('by munmap and exit', besideChild(unmapInChild, exitChild), EXHAUST)

  it('in every order of the walk and of munmap: an area that goes is seen', async () => {
    const { traces } = await explore(besideChild(unmapInChild, exitChild), EXHAUST)
    expect(traces).toBeGreaterThan(100) // 51 if the walk finds its areas in no step
  })
})
