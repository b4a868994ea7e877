import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PFN_VALID, PFN_WRITE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm } from '@mmu-notifier/mm'
import { defineDriver, type AttachedDriver } from '../src/index.ts'

export interface Rig {
  kernel: Kernel
  memory: PhysicalMemory
  mm: Mm
  /** Four anonymous pages, the first written by the CPU with 7. */
  area: number
}

export async function rig(): Promise<Rig> {
  const kernel = createKernel()
  const memory = new PhysicalMemory(kernel)
  const mm = memory.createMm('mm')
  const area = await mm.mmap(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
  await mm.write(area, Uint8Array.of(7))
  return { kernel, memory, mm, area }
}

/** A driver that never tells anybody and never unmaps: it copies the CPU page table and hopes. */
export function careless(attached: Partial<AttachedDriver> = {}): ReturnType<typeof defineDriver> {
  return defineDriver({
    name: 'careless',
    attach: ({ mm, mmu }) => ({
      async fault(address, access) {
        await mm.fault(address, access)
        const pfn = mm.pageTable.get(address)
        await mmu.map({ ...mm.pageAt(address), pfns: Int32Array.of((pfn & ~0xf) | (pfn & (PFN_VALID | PFN_WRITE))) })
      },
      detach: async () => undefined,
      ...attached,
    }),
  })
}
