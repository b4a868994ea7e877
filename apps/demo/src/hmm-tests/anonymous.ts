import { HUGE_PAGE_SIZE, PAGE_SIZE, PROT_NONE, PROT_READ } from '@mmu-notifier/mm'
import { expectError } from './expectation.ts'
import { bytesOf, PAGES, part, RW, words, type Buffer, type Fixture } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'

const NEGATIVE = (i: number): number => -i

/** The CPU sees what the device has written. */
async function writeAndSee(t: Fixture, buffer: Buffer): Promise<void> {
  await t.deviceWrite(buffer)
  await t.expectCpu('the buffer', buffer)
}

/** A child has the pages that the parent wrote, writes to them by a mirror of its own, and ends. */
async function writeInChild(t: Fixture, buffer: Buffer): Promise<void> {
  const child = await t.fork()
  await t.expectCpu("the child's buffer", buffer, words(PAGES), child)
  const mirror = await t.open(t.device, child)
  await t.deviceWrite(buffer, words(PAGES, NEGATIVE), { mirror })
  await t.expectCpu("the child's buffer, which the device has written", buffer, words(PAGES, NEGATIVE), child)
  await t.close(mirror)
  await child.exit()
}

/** The device reads and writes memory of the process. */
export const ANONYMOUS: readonly HmmTest[] = [
  {
    name: 'open_close',
    /** The fixture opens the device, and closes it. */
    run: async () => undefined,
  },
  {
    name: 'anon_read',
    /** Pages that were never there, and the zero page, are zeros; what is read-only may be read. */
    async run(t) {
      const buffer = await t.map()
      const data = part(buffer, 2, PAGES - 2)
      await t.mm.read(buffer.address + PAGE_SIZE, 1)
      await t.write(data)
      await t.protect(part(buffer, 2, 1), PROT_READ)
      const expected = new Uint8Array(PAGES * PAGE_SIZE)
      expected.set(words(PAGES - 2), 2 * PAGE_SIZE)
      await t.expectDevice('the buffer', buffer, expected)
      await t.expectDevice('the buffer, read again', buffer, expected, { faults: 0 })
    },
  },
  {
    name: 'anon_read_prot',
    async run(t) {
      const buffer = await t.map()
      await t.write(buffer)
      await t.protect(buffer, PROT_NONE)
      await expectError('READ of what allows no access', t.mirror.read(buffer.address, buffer.pages), 'EFAULT')
      await t.protect(buffer, RW)
      await t.expectCpu('the buffer', buffer)
    },
  },
  {
    name: 'anon_write',
    run: async (t) => writeAndSee(t, await t.map()),
  },
  {
    name: 'anon_write_prot',
    async run(t) {
      const buffer = await t.map(PAGES, { prot: PROT_READ })
      const zeros = new Uint8Array(PAGES * PAGE_SIZE)
      await t.expectDevice('a read-only page', part(buffer, 0, 1), bytesOf(zeros, 0, 1))
      await expectError('WRITE to a read-only page', t.mirror.write(buffer.address, words(PAGES)), 'EPERM')
      await t.expectCpu('the buffer, which is read-only', buffer, zeros)
      await t.protect(buffer, RW)
      await t.deviceWrite(buffer)
      await t.expectCpu('the buffer, which is writable', buffer)
    },
  },
  {
    name: 'anon_write_child',
    /** The device writes to the copy of a child, which has its own mirror; the parent keeps its pages. Before, the pages may have been on the device. */
    async run(t) {
      for (const [migrated, huge] of [[false, false], [false, true], [true, false], [true, true]]) {
        const buffer = huge ? await t.mapHuge(PAGES) : await t.map()
        await t.write(buffer)
        if (migrated) await t.migrate(buffer)
        await writeInChild(t, buffer)
        await t.expectCpu("the parent's buffer", buffer)
        await t.unmap(buffer)
      }
    },
  },
  {
    name: 'anon_write_child_shared',
    async run(t) {
      const buffer = await t.map(PAGES, { shared: true })
      await t.write(buffer)
      await writeInChild(t, buffer)
      await t.expectCpu("the parent's buffer", buffer, words(PAGES, NEGATIVE))
    },
  },
  {
    name: 'anon_write_huge',
    run: async (t) => writeAndSee(t, await t.mapHuge(HUGE_PAGE_SIZE / PAGE_SIZE)),
  },
  {
    name: 'anon_write_hugetlbfs',
    run: async (t) => writeAndSee(t, await t.mapHugetlb()),
  },
]
