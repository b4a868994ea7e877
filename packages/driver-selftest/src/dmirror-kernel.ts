import type { IntervalNotifierOps } from '@mmu-notifier/core'
import { errno, PAGE_SIZE, PFN_SHIFT, PFN_WRITE, type FaultedPages, type Migration } from '@mmu-notifier/mm'
import { storeExclusive } from './dmirror-commands.ts'
import { eachBlock, loopOf, type Form, type Parts } from './dmirror-form.ts'
import { storeMigrated } from './dmirror-migrate.ts'

/** The whole address space, as far as the device can address it. Linux: [0, ULONG_MAX & PAGE_MASK). */
const EVERYTHING = { start: 0, last: Number.MAX_SAFE_INTEGER }

/**
 * The form that Linux has, with its bugs: one interval over everything, which erases one page too many, and tells no reader of the device's own migrations. Linux:
 * `dmirror_fops_open()`.
 */
export async function openKernelForm(parts: Parts): Promise<Form> {
  const { device, mm, lock, table } = parts
  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range, seq) {
      // Its own migrations are programmed by who migrates; no reader is told.
      if (range.event === 'migrate' && range.owner === device) return true
      if (!(await lock.lockFor(range))) return false
      await notifier.setSeq(seq)
      table.eraseInclusive(range.start, range.end)
      await lock.unlock()
      return true
    },
  }
  const notifier = await mm.notifiers.insert(EVERYTHING, ops)
  return {
    ops,
    /** Linux: `dmirror_range_fault()`. */
    async faultBlock(start, end, how) {
      const { loop, access } = loopOf(how)
      await loop(mm, notifier, lock, { start, end, access, owner: device }, async (pages) => { storePages(parts, pages, access) })
    },
    commit: (migration: Migration) => lock.with(async () => { storeMigrated(table, migration) }),
    arrived: async () => undefined,
    /** Without the mutex, as in Linux: the page is locked, and who faults on it waits. */
    leaves: (address) => { table.erase(address) },
    exclusive: (start, end) =>
      mm.mmapRead(() =>
        eachBlock(start, end, async (from, to) => {
          const pages = await mm.makeDeviceExclusive(from, to)
          const stored = await lock.with(async () => storeExclusive(table, from, to, pages))
          await pages.release()
          if (stored < (to - from) / PAGE_SIZE) throw errno('EBUSY', `EXCLUSIVE: only ${stored} of ${(to - from) / PAGE_SIZE} pages from 0x${from.toString(16)} on`)
        }),
      ),
    async close() {
      table.erasePages(0, Infinity) // no command is under way, so nothing comes in any more
      await notifier.remove()
    },
  }
}

/**
 * Two bugs of the driver. A page in its own memory is stored as if the CPU could reach it; and one that is read-only fails a write, instead
 * of being brought back. Linux: `dmirror_do_fault()`.
 */
function storePages({ device, table }: Parts, { start, pfns }: FaultedPages, access: 'read' | 'write'): void {
  for (let i = 0; i < pfns.length; i++) {
    const frame = pfns[i] >> PFN_SHIFT
    const writable = (pfns[i] & PFN_WRITE) !== 0
    if (access === 'write' && !writable) throw errno('EFAULT', `WRITE: page 0x${(start + i * PAGE_SIZE).toString(16)} of the device is read-only`)
    table.store(start + i * PAGE_SIZE, frame, writable ? 'write' : 'read', device.isUnbacked(frame))
  }
}
