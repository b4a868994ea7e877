import type { DmirrorForm } from '@mmu-notifier/driver-selftest'
import type { DeviceMemoryKind, TransparentHugepage } from '@mmu-notifier/mm'
import { Fixture } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'
import { ExpectationError } from './expectation.ts'

/** One test on one form of the driver, one kind of device and one kind of machine. */
export interface Run {
  readonly test: HmmTest
  readonly form: DmirrorForm
  readonly device: DeviceMemoryKind
  readonly thp: TransparentHugepage
}

export interface Outcome {
  readonly form: DmirrorForm
  readonly device: DeviceMemoryKind
  /** As the kernel prints it: `hmm.hmm_device_private.anon_read`. */
  readonly name: string
  readonly result: 'pass' | 'fail'
  /** What did not hold. */
  readonly reason?: string
  readonly expected?: string
  readonly found?: string
  /** What the test has to say. */
  readonly notes: readonly string[]
}

/** Of the scheduler, for tests whose tasks race. */
const SEED = 1

/** Runs a test on a machine of its own. */
export async function runTest({ test, form, device, thp }: Run): Promise<Outcome> {
  const devices = test.devices ?? 1
  const group = devices === 2 ? 'hmm2' : 'hmm'
  const outcome = { form, device, name: `${group}.${group}_device_${device}.${test.name}`, notes: [] as readonly string[] }
  const fixture = await Fixture.start({ form, device, devices, thp, ...(test.races && { seed: SEED }) })
  try {
    await test.run(fixture)
    await fixture.end()
    return { ...outcome, result: 'pass', notes: fixture.notes }
  } catch (error) {
    return { ...outcome, result: 'fail', ...explain(error) }
  }
}

function explain(error: unknown): Pick<Outcome, 'reason' | 'expected' | 'found'> {
  if (error instanceof ExpectationError) return { reason: error.message, expected: error.expected, found: error.found }
  const message = error instanceof Error ? error.message : String(error)
  return { reason: 'the test ends in an error', expected: 'none', found: message.trim() }
}
