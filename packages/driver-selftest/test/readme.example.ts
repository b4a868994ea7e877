import { Device } from '@mmu-notifier/driver'
import { selftest } from '@mmu-notifier/driver-selftest'
import { createKernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_PRIVATE, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'

const kernel = createKernel()
const mm = new PhysicalMemory(kernel).createMm('process')
const buffer = await mm.mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
await mm.write(buffer, Uint8Array.of(1, 2, 3))

const dmirror = await Device.attach(kernel, { driver: selftest, mm })
console.log('device reads', await dmirror.read(buffer, 3))

const child = await mm.fork('child')
await dmirror.write(buffer, Uint8Array.of(9)) // copy-on-write: the child keeps its page
console.log('parent reads', await mm.read(buffer, 3), 'child reads', await child.read(buffer, 3))

await dmirror.detach()
console.log('notifiers left:', mm.notifiers.outstanding)
