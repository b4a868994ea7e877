import { hex } from '@mmu-notifier/core'
import { Device } from '@mmu-notifier/driver'
import { nouveau } from '@mmu-notifier/driver-nouveau'
import { createKernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'

const kernel = createKernel()
kernel.on('mmu_notifier:batch', (removed, inserted) => { console.log(`batch   ${removed.length} out, ${inserted.length} in`) })
kernel.on('mmu_notifier:release', ({ start, last }) => { console.log(`release [${hex(start)}, ${hex(last)}]`) })

const mm = new PhysicalMemory(kernel).createMm('process')
const buffer = await mm.mmap(0, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
const gpu = await Device.attach(kernel, { driver: nouveau, mm })

await gpu.write(buffer, Uint8Array.of(42)) // the first fault of the VMA
await gpu.write(buffer + 7 * PAGE_SIZE, Uint8Array.of(43)) // finds its interval
await mm.munmap(buffer + 3 * PAGE_SIZE, PAGE_SIZE) // a hole
console.log('still there:', (await gpu.read(buffer, 1))[0], (await gpu.read(buffer + 7 * PAGE_SIZE, 1))[0])
await gpu.detach()
