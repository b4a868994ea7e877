import { hex, type IntervalNotifier, type IntervalNotifierOps } from '@mmu-notifier/core'
import { errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'

/** Leaves all of an interval: `without` it is the place where the interval will lie. */
const NOTHING = { start: 0, end: 0 }

/**
 * {@link Mm.insertOverVma}, under the mmap lock. All of it is under the tree lock, whose `find` sees inserts that are pending: two fault
 * handlers in one area do not both insert. As `find` answers by the places that updates will give, so does this.
 */
export async function insertOverArea<Data>(
  mm: MmStruct,
  address: number,
  ops: IntervalNotifierOps<Data>,
  data: Data,
): Promise<IntervalNotifier<Data>> {
  const area = mm.vmas.find(address)
  if (!area) throw errno('EFAULT', `insertOverVma: nothing is mapped at ${hex(address)}`)
  let start = area.start
  let last = area.end - 1
  const tree = await mm.notifiers.lockTree()
  try {
    for (let other = await tree.find(ops, start, last); other; other = await tree.findNext(other, start, last)) {
      const [place] = other.without(NOTHING)
      if (place.start > address) {
        last = place.start - 1
        break
      }
      if (place.last >= address) {
        await other.get()
        return other
      }
      start = Math.max(start, place.last + 1)
    }
    const [notifier] = await tree.batch<Data>({ insert: [{ interval: { start, last }, ops, data }] })
    await notifier.get()
    return notifier
  } finally {
    await tree.unlock()
  }
}
