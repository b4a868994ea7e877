import { hex } from '@mmu-notifier/core'
import { createKernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PFN_SHIFT, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'

const kernel = createKernel()
const memory = new PhysicalMemory(kernel)
const mm = memory.createMm('process')
const buffer = await mm.mmap(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
await mm.write(buffer, Uint8Array.of(42))

const notifier = await mm.insertOverVma(buffer, {
  async invalidate(it, range, seq) {
    await it.setSeq(seq) // under the driver's lock, where the device is unmapped too
    console.log(`${range.event} ${hex(range.start)}..${hex(range.end)}`)
    return true
  },
})
kernel.on('mm:frame_free', (frame) => { console.log(`frame ${frame} is free`) })

const seq = await notifier.readBegin()
const pages = await mm.rangeFault({ notifier, seq, start: buffer, end: buffer + PAGE_SIZE, access: 'write' })
if (pages !== 'busy') console.log('the device may use frame', (pages.pfns[0] ?? 0) >> PFN_SHIFT)

const child = await mm.fork('child') // the page becomes read-only in both
await mm.write(buffer, Uint8Array.of(43)) // copy on write
console.log('retry:', await notifier.readRetry(seq), (await child.read(buffer, 1))[0], (await mm.read(buffer, 1))[0])
await child.exit()
await mm.munmap(buffer, 4 * PAGE_SIZE)
await notifier.put() // the reference that insertOverVma gave
await notifier.remove()
