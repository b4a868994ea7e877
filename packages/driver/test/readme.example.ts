import { defineDriver, Device, findFailure, mirrorPages } from '@mmu-notifier/driver'
import { createKernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_PRIVATE, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'

/** One interval over everything, for as long as the device is open. */
const tiny = defineDriver({
  name: 'tiny',
  async attach(host) {
    const { kernel, mm, mmu } = host
    const lock = kernel.mutex('tiny.lock') // orders setSeq + unmap against readRetry + map
    const everything = { start: 0, last: Number.MAX_SAFE_INTEGER }
    const notifier = await mm.notifiers.insert(everything, {
      async invalidate(notifier, range, seq) {
        if (!(await lock.lockFor(range))) return false
        await notifier.setSeq(seq) // always, also when nothing is mapped
        await mmu.unmap(range.within(notifier)) // clears, flushes, waits
        await lock.unlock()
        return true
      },
    })
    return {
      async fault(address, access) {
        await mirrorPages(host, notifier, lock, { ...mm.pageAt(address), access })
      },
      async detach() {
        await mmu.unmap(everything) // first: once the notifier has gone, nobody tells of changes
        await notifier.remove()
      },
    }
  },
})

const kernel = createKernel()
const mm = new PhysicalMemory(kernel).createMm('process')
const address = await mm.mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
const device = await Device.attach(kernel, { driver: tiny, mm })
await device.write(address, Uint8Array.of(42))
console.log('the CPU reads', (await mm.read(address, 1))[0])
await mm.munmap(address, 4096)
await device.read(address, 1).catch((error: unknown) => { console.log('the device reads', (error as Error).message) })
await device.detach()

console.log('100 random programs:', (await findFailure(tiny, { seeds: 100 })) ?? 'no violation')
