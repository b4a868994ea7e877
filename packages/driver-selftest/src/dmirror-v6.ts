import type { IntervalNotifier, IntervalNotifierOps } from '@mmu-notifier/core'
import { cutIntervals, findOrInsert, mirrorRange, removeIntervals } from '@mmu-notifier/driver'
import { errno, PAGE_SIZE, PFN_SHIFT, PFN_VALID, PFN_WRITE } from '@mmu-notifier/mm'
import { asUser, storeExclusive } from './dmirror-commands.ts'
import { eachBlock, loopOf, type BlockAccess, type Form, type Parts } from './dmirror-form.ts'

/** Does a part of the work with a notifier that covers the address that it was called for. @returns false when the notifier is dying, and it has to be done again */
type Step = (notifier: IntervalNotifier, start: number, end: number) => Promise<boolean>

/** What an EXCLUSIVE command has seen of `[start, end)`, and whether an event of somebody else's has come there since. */
interface Look {
  readonly start: number
  readonly end: number
  changed: boolean
}

/**
 * The form of the thread's series: an interval for each area that the device has used, found by `find`, cut by batch in the callback, put asynchronously; and none of the other
 * form's bugs. Every entry of the table lies in a live interval, always: whoever takes an interval away has erased its entries before the tree thaws. Linux: the v6 and v7
 * `lib/test_hmm.c` of the series, which was not merged.
 */
export async function openV6Form({ device, mm, lock, table }: Parts): Promise<Form> {
  /** Of the EXCLUSIVE commands under way. Callbacks change what they have seen under the user lock. */
  const looks = new Set<Look>()

  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range, seq) {
      if (!(await lock.lockFor(range))) return false
      await notifier.setSeq(seq)
      const { start, last } = range.within(notifier)
      if (range.event !== 'exclusive' || range.owner !== device) {
        for (const look of looks) if (look.start <= last && start < look.end) look.changed = true
      }
      table.erasePages(start, last + 1)
      await lock.unlock()
      if (range.event === 'unmap' || range.event === 'release') await cutIntervals(range, ops)
      return true
    },
    release(notifier) {
      notifier.free()
    },
  }

  /** Calls `step` until `[start, end)` is done, with an interval for each part of it. EFAULT at a hole. */
  async function eachInterval(start: number, end: number, step: Step): Promise<void> {
    for (let at = start; at < end; ) {
      const notifier = await findOrInsert(mm, at, ops)
      try {
        const to = Math.min(end, notifier.last + 1)
        if (await step(notifier, at, to)) at = to
      } finally {
        await notifier.put()
      }
    }
  }

  /** The canonical loop. A read-only page in the device's own memory is returned as it is, so a write brings it back to RAM first, like a foreign page. */
  const mirror = (how: BlockAccess): Step => async (notifier, start, end) => {
    const { loop, access } = loopOf(how)
    const readOnly: number[] = []
    const store = (at: number, pfns: Int32Array): void => {
      for (let i = 0; i < pfns.length; i++) {
        const address = at + i * PAGE_SIZE
        const writable = (pfns[i] & PFN_WRITE) !== 0
        if (access === 'write' && !writable) readOnly.push(address)
        else table.store(address, pfns[i] >> PFN_SHIFT, writable ? 'write' : 'read')
      }
    }
    const done = await loop(mm, notifier, lock, { start, end, access, owner: device }, async (pages) => { store(start, pages.pfns) })
    if (!done) return false
    for (const address of readOnly.splice(0)) {
      const page = { start: address, end: address + PAGE_SIZE, access }
      if (!(await mirrorRange(mm, notifier, lock, page, async (pages) => { store(address, pages.pfns) }))) return false
    }
    return true
  }

  /** Stores what has arrived in the device's memory, and nothing else: what has not is missing when it is read back. */
  const mirrorOwn: Step = (notifier, start, end) =>
    mirrorRange(mm, notifier, lock, { start, end, access: 'snapshot', owner: device }, async ({ pfns }) => {
      for (let i = 0; i < pfns.length; i++) {
        if (!(pfns[i] & PFN_VALID) || !device.owns(pfns[i] >> PFN_SHIFT)) continue
        table.store(start + i * PAGE_SIZE, pfns[i] >> PFN_SHIFT, pfns[i] & PFN_WRITE ? 'write' : 'read')
      }
    })

  /**
   * A read section makes the pages writable, so that nothing but the device's own event comes of taking them. That event ends the section, like every other: what has to hold from its
   * end to the moment when the pages are stored is that no other has touched them. They stay locked until then, so no access of the CPU ends it either.
   */
  const takeExclusive: Step = async (notifier, start, end) => {
    const wanted = (end - start) / PAGE_SIZE
    const look: Look = { start, end, changed: false }
    const begin = async (): Promise<void> => {
      look.changed = false
      looks.add(look)
    }
    try {
      while (await mirrorRange(mm, notifier, lock, { start, end, access: 'write' }, begin)) {
        const stored = await mm.mmapRead(async () => {
          const pages = await mm.makeDeviceExclusive(start, end, device)
          try {
            return await lock.with(async () => (look.changed ? undefined : storeExclusive(table, start, end, pages)))
          } finally {
            await pages.release()
          }
        })
        if (stored === undefined) continue
        if (stored < wanted) throw errno('EBUSY', `EXCLUSIVE: only ${stored} of ${wanted} pages from 0x${start.toString(16)} on`)
        return true
      }
      return false
    } finally {
      looks.delete(look)
    }
  }

  await asUser(mm, () => mm.mmgrab()) // the device may be closed after the process has ended
  return {
    ops,
    faultBlock: (start, end, access) => eachInterval(start, end, mirror(access)),
    commit: async () => undefined,
    arrived: (start, end) => eachBlock(start, end, (from, to) => eachInterval(from, to, mirrorOwn)),
    leaves: () => undefined,
    exclusive: (start, end) => eachBlock(start, end, (from, to) => eachInterval(from, to, takeExclusive)),
    async close() {
      await removeIntervals(mm, ops, () => lock.with(async () => { table.erasePages(0, Infinity) }))
      await mm.mmdrop()
    },
  }
}
