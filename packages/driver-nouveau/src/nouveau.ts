import type { IntervalNotifierOps } from '@mmu-notifier/core'
import { cutIntervals, defineDriver, findOrInsert, mirrorPages, removeIntervals, type Driver } from '@mmu-notifier/driver'

/**
 * A nouveau-like SVM driver: one interval for each VMA that the device has faulted in, looked up with the core's `find`, so it keeps no
 * range tree of its own. What munmap takes away is cut out of the intervals by batch, inside the very callback. Linux: `nouveau_svm.c`, in
 * the form that the thread's series gave it.
 */
export const nouveau: Driver = defineDriver({
  name: 'nouveau',
  capabilities: { nonBlockable: true, splitsIntervals: true },

  attach(host) {
    const { kernel, mm, mmu } = host
    const lock = kernel.mutex('svmm.mutex')

    const ops: IntervalNotifierOps = {
      async invalidate(notifier, range, seq) {
        if (!(await lock.lockFor(range))) return false
        await notifier.setSeq(seq) // also when nothing is mapped: a reader may be between rangeFault and the lock
        await mmu.unmap(range.within(notifier))
        await lock.unlock()
        if (range.event === 'unmap') await cutIntervals(range, ops)
        return true
      },
      release(notifier) {
        notifier.free()
      },
    }

    return {
      async fault(address, access) {
        for (let done = false; !done; ) {
          const notifier = await findOrInsert(mm, address, ops)
          try {
            done = await mirrorPages(host, notifier, lock, { ...mm.pageAt(address), access })
          } finally {
            await notifier.put()
          }
        }
      },
      async detach() {
        await removeIntervals(mm, ops, () => lock.with(() => mmu.unmap({ start: 0, last: Number.MAX_SAFE_INTEGER })))
      },
    }
  },
})
