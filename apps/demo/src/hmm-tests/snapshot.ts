import { HMM_DMIRROR_PROT_ERROR, HMM_DMIRROR_PROT_PMD, HMM_DMIRROR_PROT_READ, HMM_DMIRROR_PROT_WRITE, HMM_DMIRROR_PROT_ZERO } from '@mmu-notifier/driver-selftest'
import { PAGE_SIZE, PROT_NONE, PROT_READ } from '@mmu-notifier/mm'
import { expectSnapshot } from './expectation.ts'
import { bytesOf, PAGES, part, words } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'
import { othersPage, ownPage } from './protections.ts'

export const SNAPSHOT: HmmTest = {
  name: 'snapshot',
  devices: 2,
  async run(t) {
    const buffer = await t.map(7)
    await t.protect(part(buffer, 0, 1), PROT_NONE)
    await t.unmap(part(buffer, 1, 1))
    await t.mm.read(buffer.address + 2 * PAGE_SIZE, 1)
    const data = words(4)
    await t.write(part(buffer, 3, 4), data)
    await t.protect(part(buffer, 3, 1), PROT_READ)
    await t.migrate(part(buffer, 5, 1), bytesOf(data, 2, 1))
    await t.migrate(part(buffer, 6, 1), bytesOf(data, 3, 1), t.other)
    expectSnapshot(await t.mirror.snapshot(buffer.address, 7), [
      HMM_DMIRROR_PROT_ERROR,
      HMM_DMIRROR_PROT_ERROR,
      HMM_DMIRROR_PROT_ZERO | HMM_DMIRROR_PROT_READ,
      HMM_DMIRROR_PROT_READ,
      HMM_DMIRROR_PROT_WRITE,
      ownPage(t),
      othersPage(t),
    ])
    expectSnapshot(await t.other.snapshot(buffer.address + PAGE_SIZE * 4, 1), [HMM_DMIRROR_PROT_WRITE])
  },
}

export const COMPOUND: HmmTest = {
  name: 'compound',
  /** Huge pages of hugetlbfs: a snapshot says so of each of their pages. */
  async run(t) {
    const buffer = await t.mapHugetlb()
    await t.write(buffer)
    const all = (byte: number): number[] => new Array<number>(buffer.pages).fill(byte)
    expectSnapshot(await t.mirror.snapshot(buffer.address, buffer.pages), all(HMM_DMIRROR_PROT_PMD | HMM_DMIRROR_PROT_WRITE))
    await t.protect(buffer, PROT_READ)
    expectSnapshot(await t.mirror.snapshot(buffer.address, buffer.pages), all(HMM_DMIRROR_PROT_PMD | HMM_DMIRROR_PROT_READ))
  },
}

export const DOUBLE_MAP: HmmTest = {
  name: 'double_map',
  devices: 2,
  /** Two devices have the same read-only pages; then one takes them into its memory, and the other has them again. */
  async run(t) {
    const buffer = await t.map()
    await t.write(buffer)
    await t.protect(buffer, PROT_READ)
    await t.expectDevice('the buffer', buffer)
    await t.expectDevice('the buffer, by the other device', buffer, words(PAGES), { mirror: t.other })
    await t.migrate(buffer)
    await t.expectDevice('what has moved, by the other device', buffer, words(PAGES), { mirror: t.other })
    await t.migrate(buffer)
    await t.mirror.migrateToSystem(buffer.address, buffer.pages)
    await t.expectCpu('the buffer', buffer)
    await t.migrate(buffer, words(PAGES), t.other)
    await t.expectCpu('the buffer, from the other device', buffer)
  },
}
