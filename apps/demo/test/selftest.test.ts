import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DmirrorDevice } from '@mmu-notifier/driver-selftest'
import { afterEach, expect, test, vi } from 'vitest'
import { HMM_TESTS } from '../src/hmm-tests/index.ts'
import { runTest } from '../src/hmm-tests/run.ts'
import { DEVICES, FORMS } from '../src/selftest-options.ts'
import { main } from '../src/index.ts'

afterEach(() => { vi.restoreAllMocks() })

async function cli(...args: string[]): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', '']
  vi.spyOn(console, 'log').mockImplementation((line: string) => { out += `${line}\n` })
  vi.spyOn(console, 'error').mockImplementation((line: string) => { err += `${line}\n` })
  const status = await main(['selftest', ...args])
  return { status, out, err }
}

const cases = FORMS.flatMap((form) => DEVICES.flatMap((device) => HMM_TESTS.map((test) => ({ test, form, device, name: test.name }))))

test.each(cases)('$form, $device: $name', async ({ test: hmmTest, form, device }) => {
  const { result, reason, expected, found } = await runTest({ test: hmmTest, form, device, thp: 'never' })
  expect({ result, reason, expected, found }).toMatchObject({ result: 'pass' })
})

/** What the kernel's own hmm-tests printed. */
const KERNEL = resolve(import.meta.dirname, '../../../fixtures/kernel-reference/hmm-tests')

test.each([
  ['hmm-tests-thp-never', 'never', 29],
  ['hmm-tests-thp-madvise', 'madvise', 29],
  ['hmm-tests-thp-always', 'always', 29],
  ['hmm-tests-coherent-thp-always', 'always', 58],
] as const)('the form of the kernel passes and fails what it did: %s', async (file, thp, count) => {
  const text = gunzipSync(readFileSync(join(KERNEL, `${file}.tap.gz`))).toString()
  const lines = [...text.matchAll(/^(ok|not ok) \d+ (hmm2?\.hmm2?_device_(private|coherent)\.(\w+))$/gm)] // without those that it skipped
  expect(lines).toHaveLength(count)
  for (const [, result, name, device, short] of lines) {
    const hmmTest = HMM_TESTS.find((other) => other.name === short)
    if (!hmmTest) throw new Error(`there is no ${name}`)
    const outcome = await runTest({ test: hmmTest, form: 'kernel', device: device as 'private' | 'coherent', thp })
    expect([outcome.name, outcome.result, outcome.found]).toEqual([name, result === 'ok' ? 'pass' : 'fail', result === 'ok' ? undefined : expect.stringMatching(/^EBUSY/)])
  }
})

test('TAP, with a sum for each form', async () => {
  const { status, out } = await cli('snapshot', 'exclusive_cow', 'userfaultfd_read', '--form', 'v6', '--device', 'private')
  expect([status, out]).toEqual([0, `TAP version 13
1..3
ok 1 hmm2.hmm2_device_private.snapshot [v6]
ok 2 hmm.hmm_device_private.exclusive_cow [v6]
ok 3 hmm.hmm_device_private.userfaultfd_read [v6]
# v6, private: pass:3 fail:0
# Totals: pass:3 fail:0
`])
})

test('what does not hold is said, and status 1', async () => {
  vi.spyOn(DmirrorDevice.prototype, 'evict').mockImplementation(async () => undefined)
  const { status, out } = await cli('migrate_release', '--form', 'kernel', '--device', 'private')
  expect([status, out]).toEqual([1, `TAP version 13
1..1
not ok 1 hmm.hmm_device_private.migrate_release [kernel]
  ---
  message: "pages in use of the device"
  expected: "0"
  found: "1024"
  ...
# kernel, private: pass:0 fail:1
# Totals: pass:0 fail:1
`])
  expect(JSON.parse((await cli('migrate_release', '--form', 'kernel', '--device', 'private', '--json')).out)).toMatchObject({ tests: [{ name: 'hmm.hmm_device_private.migrate_release', result: 'fail', found: '1024' }] })
})

test('a name that is none is one line, and status 2', async () => {
  const { status, err } = await cli('anon_raed')
  expect([status, err]).toEqual([2, expect.stringMatching(/^mmu-notifier: selftest anon_raed: there is no such test; they are open_close, .*\n$/)])
})
