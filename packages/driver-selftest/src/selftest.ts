import type { IntervalNotifier, IntervalNotifierOps } from '@mmu-notifier/core'
import { defineDriver, mirrorPages, type Driver } from '@mmu-notifier/driver'

/** The whole address space, as far as the device can address it. Linux: [0, ULONG_MAX & PAGE_MASK). */
const EVERYTHING = { start: 0, last: Number.MAX_SAFE_INTEGER }

/**
 * The self-test driver: one interval over the whole address space, from open to close, so it needs neither `find` nor `batch`: every
 * invalidation of the process reaches its one callback. Linux: `lib/test_hmm.c`.
 */
export const selftest: Driver = defineDriver({
  name: 'selftest',
  capabilities: { nonBlockable: true },

  async attach(host) {
    const { kernel, mm, mmu } = host
    const lock = kernel.mutex('dmirror.mutex')

    const ops: IntervalNotifierOps = {
      async invalidate(notifier, range, seq) {
        if (!(await lock.lockFor(range))) return false
        await notifier.setSeq(seq)
        await mmu.unmap(range.within(notifier))
        await lock.unlock()
        return true
      },
    }
    const notifier: IntervalNotifier = await mm.notifiers.insert(EVERYTHING, ops)

    return {
      async fault(address, access) {
        await mirrorPages(host, notifier, lock, { ...mm.pageAt(address), access })
      },
      async detach() {
        await mmu.unmap(EVERYTHING) // first: once it has left the tree nobody tells of changes any more
        await notifier.remove() // waits: from here on no callback runs
      },
    }
  },
})
