import type { DmirrorForm } from '@mmu-notifier/driver-selftest'
import { it } from '@mmu-notifier/explore/vitest'
import { describe } from 'vitest'
import { CPU_STEPS, DEVICE_STEPS, LONG, scenarioOf, USERFAULTFD_STEPS, type Step } from './small-programs.ts'

const { read, readUnlocked } = DEVICE_STEPS
const { unmap, touch } = CPU_STEPS
const { bring, bringOnly, closeUserfaultfd } = USERFAULTFD_STEPS
const EXHAUST = { strategy: 'dpor', budget: 20_000, timeout: 300_000 } as const

/** A device reads a page that another task brings, beside the CPU. At its end the device closes the userfaultfd, which ends the other task. */
function brought(form: DmirrorForm, cpu?: Step, resolver: Step = bring): ReturnType<typeof scenarioOf> {
  return scenarioOf({
    forms: [form],
    pages: 1,
    userfaultfd: true,
    before: [read(0, 0, 1)],
    tasks: { device: [readUnlocked(0, 0, 1), closeUserfaultfd], resolver: [resolver], ...(cpu && { cpu: [cpu] }) },
  })
}

describe.each<DmirrorForm>(['kernel', 'v6'])('%s: READ_UNLOCKED of a page that another task brings', (form) => {
  it.explore('alone', brought(form), EXHAUST)
  it.explore('beside the end of the userfaultfd', brought(form, closeUserfaultfd), EXHAUST)
  it.explore('beside munmap', brought(form, unmap(0, 1)), form === 'kernel' ? EXHAUST : LONG)
  it.explore('beside an access of the CPU to the same page', brought(form, touch(0, 1)), LONG)
})

describe('munmap wakes nobody', () => {
  it.explore('so the device waits for ever if who resolves does not', brought('kernel', unmap(0, 1), bringOnly), { ...EXHAUST, fails: 'DEADLOCK' })
})
