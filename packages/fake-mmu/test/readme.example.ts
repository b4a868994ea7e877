import { FakeMmu } from '@mmu-notifier/fake-mmu'
import { createKernel } from '@mmu-notifier/kernel'
import { PFN_SHIFT, PFN_VALID, PFN_WRITE, PhysicalMemory } from '@mmu-notifier/mm'

const kernel = createKernel()
const { frames } = new PhysicalMemory(kernel)
const mmu = new FakeMmu(kernel, { name: 'gpu', frames })
const frame = frames.allocate()

const engine = kernel.spawn('engine', async () => {
  await mmu.write(0x1000, Uint8Array.of(42)) // stalls: nothing is mapped
  console.log('written:', frames.read(frame, 0, 1)[0])
})

await mmu.waitForFaults(() => false)
console.log(await mmu.takeFaults())
await mmu.map({ start: 0x1000, end: 0x2000, pfns: Int32Array.of((frame << PFN_SHIFT) | PFN_VALID | PFN_WRITE) })
await mmu.replay()
await engine.join()

await mmu.clear({ start: 0x1000, last: 0x1fff })
console.log('cleared, not flushed:', await mmu.read(0x1000, 1))
await mmu.flush({ start: 0x1000, last: 0x1fff })
console.log('flushed:', mmu.tlb.get(0x1000))
