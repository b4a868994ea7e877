import { PAGE_SIZE } from '@mmu-notifier/mm'
import { expectEqual, expectError } from './expectation.ts'
import { bytesOf, PAGES, words } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'

/** Pages that are brought by another task when somebody faults on them. */
export const USERFAULTFD: readonly HmmTest[] = [
  {
    name: 'userfaultfd_read',
    races: true,
    /** READ_UNLOCKED waits for each page without the mmap lock; READ, which cannot drop it, does not get one. */
    async run(t) {
      const buffer = await t.map()
      const length = PAGES * PAGE_SIZE
      const uffd = t.mm.userfaultfd()
      await uffd.register(buffer.address, length)
      let brought = 0
      const resolver = t.kernel.spawn('resolver', async () => {
        for (let fault = await uffd.read(); fault; fault = await uffd.read()) {
          await uffd.copy(fault.address, bytesOf(words(PAGES), (fault.address - buffer.address) / PAGE_SIZE, 1))
          brought++
        }
      })
      await expectError('READ of a page that is to be brought', t.mirror.read(buffer.address, 1), 'EFAULT')
      expectEqual('pages brought for READ', brought, 0)
      await t.expectDevice('what is brought', buffer, words(PAGES), { unlocked: true })
      await uffd.close()
      await resolver.join()
      expectEqual('pages brought for READ_UNLOCKED', brought, PAGES)
      await t.expectCpu('the buffer', buffer)
      await t.expectDevice('the buffer, read again', buffer, words(PAGES), { faults: 0 })
    },
  },
]
