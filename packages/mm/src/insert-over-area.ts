import { hex, type IntervalNotifier, type IntervalNotifierOps } from '@mmu-notifier/core'
import { errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'

/**
 * {@link Mm.insertOverVma}, under the mmap lock. All of it is under the tree lock, whose `find` sees inserts that are pending: two fault
 * handlers in one area do not both insert.
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
      if (other.start > address) {
        last = other.start - 1
        break
      }
      if (other.last >= address) {
        await other.get()
        return other
      }
      start = Math.max(start, other.last + 1)
    }
    const [notifier] = await tree.batch<Data>({ insert: [{ interval: { start, last }, ops, data }] })
    await notifier.get()
    return notifier
  } finally {
    await tree.unlock()
  }
}
