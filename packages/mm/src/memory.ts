import type { Kernel, SpinLock } from '@mmu-notifier/kernel'
import { VmFile, type FileOptions } from './file.ts'
import { FrameTable } from './frames.ts'
import { Mm } from './mm.ts'

/** The memory of one machine: frames, and what the address spaces on it share. */
export class PhysicalMemory {
  readonly kernel: Kernel
  readonly frames: FrameTable
  /** Frames, page tables and page caches change under it, one leaf table a step. Innermost. */
  readonly tableLock: SpinLock

  constructor(kernel: Kernel) {
    this.kernel = kernel
    this.frames = new FrameTable(kernel)
    this.tableLock = kernel.spinLock('page_table_lock')
  }

  /** An empty address space with one user, its process. The name is for messages. Linux: `mm_alloc()`. */
  createMm(name: string): Mm {
    return new Mm(this, name)
  }

  /** Something to map. RangeError for a bad size. */
  createFile(options: FileOptions): VmFile {
    return new VmFile(this.frames, this.tableLock, options)
  }

  /** Memory without a name, which goes with its last mapping. Linux: `shmem_kernel_file_setup()`. */
  anonymousFile(name: string, size: number): VmFile {
    const file = this.createFile({ name, size })
    file.cache.linked = false
    return file
  }
}
