import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { PAGE_SIZE, PROT_NONE, PROT_READ } from '@mmu-notifier/mm'
import { expectBytes, expectEqual, expectError } from './expectation.ts'
import { bytesOf, PAGES, part, words, type Buffer, type Fixture } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'

/** How often what depends on chance is tried. */
const TIMES = 10

/** A buffer that the CPU has written, in the memory of the device. */
async function migrated(t: Fixture): Promise<Buffer> {
  const buffer = await t.map()
  await t.write(buffer)
  await t.migrate(buffer)
  return buffer
}

export const MIGRATE: HmmTest = {
  name: 'migrate',
  async run(t) {
    const buffer = await migrated(t)
    await t.expectCpu('the buffer', buffer)
  },
}

export const MIGRATE_FAULT: HmmTest = {
  name: 'migrate_fault',
  /** The CPU gets the first half back by touching it; then all of it moves again. */
  async run(t) {
    const buffer = await migrated(t)
    await t.expectCpu('the first half', part(buffer, 0, PAGES / 2))
    await t.migrate(buffer)
    await t.expectCpu('the buffer', buffer)
  },
}

export const MIGRATE_RELEASE: HmmTest = {
  name: 'migrate_release',
  /** The device gives up its memory: everything in it moves back. */
  async run(t) {
    const buffer = await migrated(t)
    await t.device.evict()
    expectEqual('pages in use of the device', t.device.used, 0)
    await t.expectCpu('the buffer', buffer)
  },
}

export const MIGRATE_MIXED: HmmTest = {
  name: 'migrate_mixed',
  devices: 2,
  async run(t) {
    const buffer = await t.map(6)
    const { address } = buffer
    const page = (n: number): number => address + n * PAGE_SIZE
    await t.protect(part(buffer, 0, 1), PROT_NONE)
    await t.unmap(part(buffer, 1, 1))
    await t.protect(part(buffer, 2, 1), PROT_READ)
    await t.write(part(buffer, 3, 3))
    await t.protect(part(buffer, 3, 1), PROT_READ)
    const last = bytesOf(words(3), 2, 1)
    await t.migrate(part(buffer, 5, 1), last, t.other)

    await expectError('MIGRATE_TO_DEV of what allows no access', t.mirror.migrateToDevice(page(0), 6), 'EINVAL')
    await expectError('MIGRATE_TO_DEV of a hole', t.mirror.migrateToDevice(page(1), 1), 'EINVAL')
    const expected = new Uint8Array(3 * PAGE_SIZE)
    expected.set(bytesOf(words(3), 0, 2), PAGE_SIZE)
    await t.migrate(part(buffer, 2, 3), expected)
    await expectError('MIGRATE_TO_DEV of a page on the other device', t.mirror.migrateToDevice(page(5), 1), 'ENOENT')
    await t.expectCpu('what has moved', part(buffer, 2, 3), expected)
    await t.expectCpu('the page of the other device', part(buffer, 5, 1), last)
  },
}

export const MULTIPLE: readonly HmmTest[] = [
  {
    name: 'migrate_multiple',
    async run(t) {
      for (let i = 0; i < TIMES; i++) {
        const buffer = await migrated(t)
        await t.expectCpu('the buffer', buffer)
        await t.unmap(buffer)
      }
    },
  },
  {
    name: 'anon_read_multiple',
    /** The same addresses again and again, with other pages: what the device knew of the last ones must be gone. */
    async run(t) {
      for (let n = 0; n < TIMES; n++) {
        const buffer = await t.map()
        const bytes = words(PAGES, (i) => i + n)
        await t.write(buffer, bytes)
        await t.expectDevice('the buffer', buffer, bytes)
        await t.unmap(buffer)
      }
    },
  },
  {
    name: 'anon_teardown',
    races: true,
    /** One task has the device read, another unmaps half of it: a read that succeeds is complete. */
    async run(t) {
      for (let n = 0; n < TIMES; n++) {
        const buffer = await t.map(PAGES / 8)
        const bytes = words(buffer.pages, (i) => i + n)
        await t.write(buffer, bytes)
        const half = part(buffer, buffer.pages / 2, buffer.pages / 2)
        const unmaps = t.kernel.spawn('unmaps', () => t.unmap(half))
        const reads = t.kernel.spawn('reads', async () => {
          const found = await readUnlessGone(t, buffer)
          if (found) expectBytes('the buffer', found, bytes)
        })
        await unmaps.join()
        await reads.join()
        await t.unmap(buffer)
      }
    },
  },
]

/** What the device reads, or undefined where something is missing. */
async function readUnlessGone({ mirror }: Fixture, { address, pages }: Buffer): Promise<Uint8Array | undefined> {
  try {
    return (await mirror.read(address, pages)).bytes
  } catch (error) {
    if (isMmuNotifierError(error, 'EFAULT')) return undefined
    throw error
  }
}
