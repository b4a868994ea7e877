import type { IntervalNotifier, IntervalNotifierOps, InvalidateRange } from '@mmu-notifier/core'
import { isMmuNotifierError } from '@mmu-notifier/kernel'
import type { Mm } from '@mmu-notifier/mm'

/*
 * For drivers with one interval for each area that the device has used, looked up by the core, so that they keep no range tree of their own.
 *
 * Lifetime: an interval lives as long as some of its area. Who programs the device holds a reference from {@link findOrInsert} to its put. The removal (`batch`, `removeAll`)
 * is asynchronous: the interval is dying at once, leaves the tree when it thaws, and is released with the last reference, in whoever's context that is.
 */

/**
 * The interval with these ops that covers `address`, or a new one over the area around it. With a reference of the caller's, to be put. EFAULT when nothing is mapped there.
 * Takes the mmap lock. It may be dying as soon as it is returned: `mirrorRange` says so, and the caller looks again.
 */
export async function findOrInsert(mm: Mm, address: number, ops: IntervalNotifierOps): Promise<IntervalNotifier> {
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

/**
 * Leaves of every interval with these ops what the range leaves of it: nothing, one side, or two around a hole. For callbacks of 'unmap', when the device is unmapped. What
 * `find` returns, not what was called: that one may be dying from an earlier hole of the same frozen period, and its pending parts are not called. Where the last user has left
 * beside it, nothing new may come into the tree: the intervals stay whole until the end of the areas, which goes over all of them.
 */
export async function cutIntervals(range: InvalidateRange, ops: IntervalNotifierOps): Promise<void> {
  for (;;) {
    const notifier = await range.tree.find(ops, range.start, range.end - 1)
    if (!notifier) return
    const rest = notifier.without(range)
    try {
      if (rest.length === 0) await notifier.removeDeferred()
      else await range.tree.batch({ remove: [notifier], insert: rest.map((interval) => ({ interval, ops })) })
    } catch (error) {
      if (isMmuNotifierError(error, 'EINVAL')) return
      // The driver is being closed, and has come first: nothing of it is left.
      if (!isMmuNotifierError(error, 'ENOENT')) throw error
    }
  }
}

/**
 * The driver closes: every interval with these ops goes, the device is unmapped by `unmap`, and every release has returned. The order is the point: dying first, so that no
 * reader programs the device any more; then unmapped, under the user lock, before the tree thaws, because until then whoever changes a page still has to tell. What `unmap`
 * throws comes when the tree has thawed.
 */
export async function removeIntervals(mm: Mm, ops: IntervalNotifierOps, unmap: () => Promise<void>): Promise<void> {
  const tree = await mm.notifiers.lockTree()
  try {
    await mm.notifiers.removeAll(ops)
    await unmap()
  } finally {
    await tree.unlock()
  }
  await mm.notifiers.synchronize()
}
