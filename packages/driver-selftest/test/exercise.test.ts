import { defineDriver, findFailure, type Driver, type DriverHost } from '@mmu-notifier/driver'
import { expect, test } from 'vitest'
import { selftest } from '../src/index.ts'

/** The driver, on a device whose unmap does something else. */
function onDevice(unmap: (host: DriverHost, interval: { start: number; last: number }) => Promise<void>): Driver {
  return defineDriver({
    ...selftest,
    attach(host) {
      const mmu = { map: host.mmu.map.bind(host.mmu), unmap: (interval: { start: number; last: number }) => unmap(host, interval) }
      return selftest.attach({ ...host, mmu: mmu as DriverHost['mmu'] })
    },
  })
}

test('no run of 300 shows anything', async () => {
  expect(await findFailure(selftest, { seeds: 300 })).toBeUndefined()
})

test('a flush that is dropped is seen: the oracle, the page and the TLB are named', async () => {
  const failure = await findFailure(onDevice(({ mmu }, interval) => mmu.clear(interval)), { seeds: 300 })
  expect(failure?.error.message).toMatch(/^STALE {2}page 0x7f0000\w{6} is still in the TLB of selftest:mm after/)
})

test('an unmap of the wrong page is seen', async () => {
  const failure = await findFailure(onDevice(({ mmu }, { start, last }) => mmu.unmap({ start: Math.min(start + 4096, last), last })), { seeds: 300 })
  expect(failure?.error.message).toMatch(/^STALE {2}page 0x7f0000\w{6} is still/)
})
