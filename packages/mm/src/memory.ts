import type { Kernel, SpinLock, WaitQueue } from '@mmu-notifier/kernel'
import { DevicePages, type DeviceMemoryKind, type DevicePagesOps } from './device-pages.ts'
import { VmFile, type FileOptions } from './file.ts'
import { FrameTable } from './frames.ts'
import { Mm } from './mm.ts'

/**
 * Where private anonymous memory gets huge pages of 2 MiB by itself: wherever they fit; where MADV_HUGEPAGE asks for them; nowhere, as in a
 * kernel that was built without them. Linux: `/sys/kernel/mm/transparent_hugepage/enabled`.
 */
export type TransparentHugepage = 'always' | 'madvise' | 'never'

export interface PhysicalMemoryOptions {
  /** Default: `never`. */
  readonly transparentHugepage?: TransparentHugepage
}

/** The memory of one machine: frames, and what the address spaces on it share. */
export class PhysicalMemory {
  readonly kernel: Kernel
  readonly frames: FrameTable
  /** Frames, page tables and page caches change under it, one leaf table a step. Innermost. */
  readonly tableLock: SpinLock
  /** Areas come, go and change their places under it, for whoever finds them by their pages. Linux: `i_mmap_rwsem`, `anon_vma->rwsem`. */
  readonly areasLock: SpinLock
  /** Who waits for a page to be unlocked, or for the end of its migration. */
  readonly frameWaiters: WaitQueue
  readonly transparentHugepage: TransparentHugepage

  constructor(kernel: Kernel, { transparentHugepage = 'never' }: PhysicalMemoryOptions = {}) {
    this.kernel = kernel
    this.transparentHugepage = transparentHugepage
    this.frames = new FrameTable(kernel)
    this.tableLock = kernel.spinLock('page_table_lock')
    this.areasLock = kernel.spinLock('i_mmap_rwsem')
    this.frameWaiters = kernel.waitQueue('folio_wait')
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

  /**
   * Memory of a device: pages of it are where `migrateVma` puts them.
   * @param owner whose it is: what migrations of its pages are done by, and what `rangeFault` returns them for
   * @param count pages. ENOMEM. Linux: `memremap_pages()`
   * @param kind whether the CPU can reach it. Default: `private`, it cannot
   */
  createDevicePages(owner: unknown, count: number, ops: DevicePagesOps, kind: DeviceMemoryKind = 'private'): DevicePages {
    return new DevicePages(this.frames, owner, count, ops, kind)
  }

  /** Locks a page that the caller has a reference to; waits while it is locked. Linux: `folio_lock()`. */
  async lockFrame(frame: number): Promise<void> {
    while (!(await this.tableLock.section(() => this.frames.tryLock(frame)))) {
      await this.frameWaiters.until(() => !this.frames.isLocked(frame))
    }
  }

  /** Linux: `folio_unlock()`. */
  async unlockFrames(frames: Iterable<number>): Promise<void> {
    await this.tableLock.section(() => {
      for (const frame of frames) this.frames.unlock(frame)
    })
    await this.frameWaiters.wakeAll()
  }
}
