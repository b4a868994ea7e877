import { HMM_DMIRROR_PROT_WRITE } from '@mmu-notifier/driver-selftest'
import { PAGE_SIZE, type PinOptions } from '@mmu-notifier/mm'
import { expectSnapshot } from './expectation.ts'
import { PAGES, words } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'
import { pinnedPage } from './protections.ts'

/** How the four pages are pinned; gup_test does the second by the lockless walk, which this model has not: that is the first again. */
const PINS: readonly PinOptions[] = [{}, {}, { longterm: true }, { longterm: true }]

/** Pages of the device that others use too. */
export const SHARED_USE: readonly HmmTest[] = [
  {
    name: 'hmm_gup_test',
    /** Who pins a page for long gets it in RAM; for a moment only where it is private to the device. */
    async run(t) {
      const buffer = await t.map(PINS.length)
      await t.write(buffer)
      await t.migrate(buffer)
      for (const [i, options] of PINS.entries()) {
        const address = buffer.address + i * PAGE_SIZE
        const pinned = await t.mm.pinUserPages(address, address + PAGE_SIZE, options)
        await pinned.unpin()
      }
      const bits = PINS.map(({ longterm }) => (longterm ? HMM_DMIRROR_PROT_WRITE : pinnedPage(t)))
      expectSnapshot(await t.mirror.snapshot(buffer.address, buffer.pages), bits)
      await t.expectCpu('the buffer', buffer)
    },
  },
  {
    name: 'hmm_cow_in_device',
    /** A child has the pages in the device too; the parent's write copies them to RAM. */
    async run(t) {
      const buffer = await t.map()
      await t.write(buffer)
      await t.migrate(buffer)
      const child = await t.fork()
      await t.write(buffer, words(PAGES, (i) => i + 1))
      expectSnapshot(await t.mirror.snapshot(buffer.address, PAGES), new Array<number>(PAGES).fill(HMM_DMIRROR_PROT_WRITE))
      await t.expectCpu("the child's buffer", buffer, words(PAGES), child)
      await child.exit()
      await t.expectCpu('the buffer', buffer, words(PAGES, (i) => i + 1))
    },
  },
]
