import type { IntervalNotifier, IntervalNotifierOps, InvalidateRange } from '@mmu-notifier/core'
import { defineDriver, mirrorPages, type Driver } from '@mmu-notifier/driver'

/**
 * A nouveau-like SVM driver: one interval for each VMA that the device has faulted in, looked up with the core's `find`, so it keeps no
 * range tree of its own. What munmap takes away is cut out of the intervals by batch, inside the very callback. Linux: `nouveau_svm.c`, in
 * the form that the thread's series gave it.
 *
 * Lifetime: an interval lives as long as some of its VMA. A fault handler holds a reference from `find` to its end. The removal (`batch`,
 * `removeAll`) is asynchronous: the interval is dying at once, leaves the tree when it thaws, and is released with the last reference, in
 * whoever's context that is.
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
        if (range.event === 'unmap') await cut(range)
        return true
      },
      release(notifier) {
        notifier.free()
      },
    }

    /**
     * Leaves of every interval what the range leaves of it: nothing, one side, or two around a hole. What `find` returns, not what was
     * called: that one may be dying from an earlier hole of the same frozen period, and its pending parts are not called.
     */
    async function cut(range: InvalidateRange): Promise<void> {
      for (;;) {
        const notifier = await range.tree.find(ops, range.start, range.end - 1)
        if (!notifier) return
        const rest = notifier.without(range)
        if (rest.length === 0) await notifier.removeDeferred()
        else await range.tree.batch({ remove: [notifier], insert: rest.map((interval) => ({ interval, ops })) })
      }
    }

    async function findOrInsert(address: number): Promise<IntervalNotifier> {
      const tree = await mm.notifiers.lockTree()
      try {
        const found = await tree.find(ops, address, address)
        if (found) {
          await found.get() // before the unlock: afterwards it may be gone
          return found
        }
      } finally {
        await tree.unlock()
      }
      return mm.insertOverVma(address, ops) // not under the tree lock: it takes the mmap lock
    }

    return {
      async fault(address, access) {
        for (let done = false; !done; ) {
          const notifier = await findOrInsert(address)
          try {
            done = await mirrorPages(host, notifier, lock, { ...mm.pageAt(address), access })
          } finally {
            await notifier.put()
          }
        }
      },
      async detach() {
        const tree = await mm.notifiers.lockTree() // until it is unmapped, whoever changes a page still has to tell us
        await mm.notifiers.removeAll(ops) // dying, so that no reader programs the device any more
        await lock.with(() => mmu.unmap({ start: 0, last: Number.MAX_SAFE_INTEGER }))
        await tree.unlock()
        await mm.notifiers.synchronize() // every release has returned: ops may go
      },
    }
  },
})
