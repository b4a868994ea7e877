import { hex, NotifiedMm, type Interval, type IntervalNotifierOps } from '@mmu-notifier/core'
import { createKernel } from '@mmu-notifier/kernel'

const kernel = createKernel()
const { notifiers } = new NotifiedMm(kernel, 'mm')
const show = ({ start, last }: Interval): string => `[${hex(start)}, ${hex(last)}]`
const lock = kernel.mutex('driver.lock')

const ops: IntervalNotifierOps = {
  async invalidate(notifier, range, seq) {
    if (!(await lock.lockFor(range))) return false
    await notifier.setSeq(seq) // always; here the device is unmapped too
    await lock.unlock()
    console.log(`${range.event} ${show(range.within(notifier))} of ${show(notifier)}`)
    const cut = await range.tree.find(ops, range.start, range.end - 1) // not `notifier`: it may be dying already
    if (cut) await range.tree.batch({ remove: [cut], insert: cut.without(range).map((interval) => ({ interval, ops })) })
    return true
  },
  release(notifier) {
    console.log(`released ${show(notifier)} by ${kernel.current.name}`)
  },
}

await notifiers.insert({ start: 0x1000, last: 0x4fff }, ops)
const tree = await notifiers.lockTree() // freezes the tree, blocks nobody
const found = await tree.find(ops, 0x2000, 0x2fff)
await found?.get()
await tree.unlock()
const seq = (await found?.readBegin()) ?? 0

const munmap = kernel.spawn('munmap', () =>
  notifiers.invalidate({ start: 0x2000, end: 0x3000, event: 'unmap' }, async () => {
    console.log('the page tables change')
  }),
)
await munmap.join()
console.log('retry:', await found?.readRetry(seq))
await found?.put()
await notifiers.removeAll(ops)
await notifiers.synchronize()
