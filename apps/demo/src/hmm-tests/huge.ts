import { HUGE_PAGE_SIZE, MADV_FREE, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PAGE_SIZE, specialKind } from '@mmu-notifier/mm'
import { expectEqual, ExpectationError, expectSnapshot } from './expectation.ts'
import { bytesOf, part, words, type Buffer, type Fixture } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'
import { isReachable, ownPage } from './protections.ts'

const HUGE = HUGE_PAGE_SIZE / PAGE_SIZE
const ZEROS = new Uint8Array(HUGE_PAGE_SIZE)

async function filled(t: Fixture): Promise<Buffer> {
  const buffer = await t.mapHuge()
  await t.write(buffer)
  return buffer
}

/** Memory that begins with a huge page, and asks for huge pages: where there are none it is small ones, and the tests are the same. */
export const HUGE_TESTS: readonly HmmTest[] = [
  {
    name: 'migrate_anon_huge_empty',
    async run(t) {
      const buffer = await t.mapHuge()
      await t.migrate(buffer, ZEROS)
      await t.expectCpu('the buffer', buffer, ZEROS)
    },
  },
  {
    name: 'migrate_anon_huge_zero',
    async run(t) {
      const buffer = await t.mapHuge()
      await t.expectCpu('the zero page', buffer, ZEROS)
      await t.migrate(buffer, ZEROS)
      await t.expectCpu('the buffer', buffer, ZEROS)
    },
  },
  {
    name: 'migrate_anon_huge_free',
    /** Pages that the process has no use for move as well: as they were, or as zeros. */
    async run(t) {
      const buffer = await filled(t)
      const free = (): Promise<void> => t.mm.madvise(buffer.address, HUGE_PAGE_SIZE, MADV_FREE)
      await free()
      await t.write(buffer)
      await t.migrate(buffer)
      await t.expectCpu('what was written after it was freed', buffer)
      await t.mirror.migrateToSystem(buffer.address, buffer.pages)
      await free()
      const moved = await t.mirror.migrateToDevice(buffer.address, buffer.pages)
      for (let n = 0; n < HUGE; n++) expectFreed(n, bytesOf(moved, n, 1))
    },
  },
  {
    name: 'migrate_anon_huge_fault',
    async run(t) {
      const buffer = await filled(t)
      await t.migrate(buffer)
      expectSnapshot(await t.mirror.snapshot(buffer.address, HUGE), new Array<number>(HUGE).fill(ownPage(t)))
      for (let n = 0; n < HUGE; n++) expectEqual(`page ${n} is present`, isPresent(t, buffer.address + n * PAGE_SIZE), isReachable(t))
      await t.expectCpu('the buffer', buffer)
      expectEqual('the first page is present after the touch', isPresent(t, buffer.address), true)
    },
  },
  {
    name: 'migrate_partial_unmap_fault',
    /** 1 MiB goes while all of it is on the device: the rest comes back by a touch. */
    async run(t) {
      for (const offset of [0, HUGE / 4, HUGE / 2]) {
        const buffer = await filled(t)
        await t.migrate(buffer)
        await t.unmap(part(buffer, offset, HUGE / 2))
        for (const [first, end] of [[0, offset], [offset + HUGE / 2, HUGE]] as const) {
          if (first < end) await t.expectCpu('the rest', part(buffer, first, end - first), bytesOf(words(HUGE), first, end - first))
        }
        await t.unmap(buffer)
      }
    },
  },
  {
    name: 'migrate_remap_fault',
    /** The pages are on the device while their addresses change: behind, before, and with the old area left. */
    async run(t) {
      for (const [distance, flags] of [[2, MREMAP_FIXED], [-2, MREMAP_FIXED], [2, MREMAP_FIXED | MREMAP_DONTUNMAP]] as const) {
        const buffer = await filled(t)
        await t.migrate(buffer)
        const to = buffer.address + distance * HUGE_PAGE_SIZE
        expectEqual('the new address', await t.mm.mremap(buffer.address, HUGE_PAGE_SIZE, HUGE_PAGE_SIZE, flags | MREMAP_MAYMOVE, to), to)
        await t.expectCpu('the buffer at its new place', { address: to, pages: HUGE })
        if (flags & MREMAP_DONTUNMAP) await t.expectCpu('the old place', buffer, ZEROS)
        await t.unmap({ address: to, pages: HUGE })
        await t.unmap(buffer)
      }
    },
  },
]

function isPresent(t: Fixture, address: number): boolean {
  const entry = t.mm.pageTable.get(address)
  return entry !== 0 && specialKind(entry) === 0
}

/** A page that was given to MADV_FREE has its old content, or none. */
function expectFreed(n: number, found: Uint8Array): void {
  const old = bytesOf(words(HUGE), n, 1)
  if (Buffer.compare(found, old) !== 0 && found.some((byte) => byte !== 0)) throw new ExpectationError(`page ${n} after MADV_FREE`, 'its old content, or zeros', 'something else')
}
