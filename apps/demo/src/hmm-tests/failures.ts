import { HUGE_PAGE_SIZE, PAGE_SIZE } from '@mmu-notifier/mm'
import { expectEqual, expectError } from './expectation.ts'
import { PAGES, part, words, type Buffer, type Fixture } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'

const HUGE = HUGE_PAGE_SIZE / PAGE_SIZE

/** One page cannot be had on the device: it stays, and comes with the next call. Then one cannot be had in RAM: it comes back by a touch of the CPU. */
async function migrateWithFailures(t: Fixture, buffer: Buffer, expected: Uint8Array): Promise<void> {
  t.device.failNextAllocation()
  await expectError('MIGRATE_TO_DEV with a page that cannot be had', t.mirror.migrateToDevice(buffer.address, buffer.pages), 'ENOENT')
  expectEqual('pages on the device', t.device.used, buffer.pages - 1)
  await t.expectCpu('the page that has stayed', part(buffer, 0, 1), expected.subarray(0, PAGE_SIZE))
  await t.migrate(buffer, expected)
  t.device.failNextAllocation()
  expectEqual('pages that came back', await t.mirror.migrateToSystem(buffer.address, buffer.pages), buffer.pages - 1)
  expectEqual('pages on the device after that', t.device.used, 1)
  await t.expectCpu('the buffer', buffer, expected)
}

export const FAILURES: readonly HmmTest[] = [
  {
    name: 'migrate_anon_huge_err',
    async run(t) {
      const buffer = await t.mapHuge()
      await t.write(buffer)
      await migrateWithFailures(t, buffer, words(HUGE))
    },
  },
  {
    name: 'migrate_anon_huge_zero_err',
    async run(t) {
      const buffer = await t.mapHuge()
      const zeros = new Uint8Array(HUGE_PAGE_SIZE)
      await t.expectCpu('the zero page', buffer, zeros)
      await migrateWithFailures(t, buffer, zeros)
    },
  },
  {
    name: 'benchmark_thp_migration',
    /** Says how many pages a second move there and back; asserts only that they do. */
    async run(t) {
      for (const pages of [HUGE, 2 * PAGES]) {
        const buffer = await t.mapHuge(pages)
        await t.write(buffer)
        const began = performance.now()
        await t.migrate(buffer)
        await t.mirror.migrateToSystem(buffer.address, pages)
        const rate = Math.round((2 * pages) / ((performance.now() - began) / 1000))
        t.notes.push(`${pages} pages: ${rate.toLocaleString('en-US')} pages a second, there and back`)
        await t.expectCpu('the buffer', buffer)
        await t.unmap(buffer)
      }
    },
  },
]
