import type { SpinLock } from '@mmu-notifier/kernel'
import { PAGE_SIZE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { FrameTable } from './frames.ts'
import { PageCache } from './page-cache.ts'

/**
 * `file`: named, with a size. `shm`: a System V segment. `special`: what the kernel itself maps ([vdso], [vvar]); its areas never merge.
 */
export type FileKind = 'file' | 'special' | 'shm'

export interface FileOptions {
  readonly name: string
  /** Bytes; Infinity when it is not known, as in a recording: then nothing lies behind the end. Default: 0, for `special` Infinity. */
  readonly size?: number
  readonly kind?: FileKind
}

/**
 * What can be mapped: a file with its pages in memory. Created by `PhysicalMemory.createFile`. Linux: `struct file` and its `struct
 * address_space`.
 */
export class VmFile {
  readonly name: string
  readonly kind: FileKind
  /** Pages and mappings. The business of this package; see {@link PageCache}. */
  readonly cache: PageCache
  readonly #frames: FrameTable
  readonly #lock: SpinLock

  constructor(frames: FrameTable, lock: SpinLock, options: FileOptions) {
    const { name, kind = 'file', size = kind === 'special' ? Infinity : 0 } = options
    if (size !== Infinity) checkUnsigned('createFile', { size })
    this.name = name
    this.kind = kind
    this.cache = new PageCache(frames, size)
    this.#frames = frames
    this.#lock = lock
  }

  /** Bytes; Infinity when it is not known where the file ends. */
  get size(): number {
    return this.cache.size
  }

  /** Reads through the page cache; fewer bytes at the end of the file. Linux: `pread()`. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    checkUnsigned('read', { offset, length, end: offset + length })
    const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)))
    await this.#eachPage(offset, out, (index, within, piece) => {
      const frame = this.cache.get(index)
      if (frame !== undefined) this.#frames.readInto(frame, within, piece)
    })
    return out
  }

  /** Writes through the page cache, one page a step; shared mappings see it at once. Behind the end the file grows. Linux: `pwrite()`. */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    checkUnsigned('write', { offset, end: offset + bytes.length })
    await this.#eachPage(offset, bytes, (index, within, piece) => {
      this.#frames.write(this.cache.bring(index), within, piece)
      this.cache.size = Math.max(this.size, index * PAGE_SIZE + within + piece.length)
    })
  }

  /**
   * Sets the size. What lies behind a smaller one is lost and unmapped everywhere, private copies too: for each area that maps it the
   * event 'clear', twice, from the new end to that of the area. Access behind the end is EFAULT. Not under the mmap lock. Linux:
   * `ftruncate()`, `truncate_pagecache()`.
   */
  async truncate(size: number): Promise<void> {
    checkUnsigned('truncate', { size })
    const firstGone = Math.ceil(size / PAGE_SIZE)
    const taken = await this.#lock.section(() => {
      const smaller = size < this.size
      this.cache.size = size
      const within = size % PAGE_SIZE
      const last = this.cache.get(firstGone - 1)
      if (smaller && within > 0 && last !== undefined) this.#frames.write(last, within, new Uint8Array(PAGE_SIZE - within))
      return smaller ? this.cache.take(firstGone, Infinity) : undefined
    })
    if (!taken) return
    // No fault finds a page behind the end from here on. A private copy of one that was mapped before may still be made during the first
    // pass: hence the second.
    try {
      await this.#unmap(firstGone * PAGE_SIZE, Infinity)
      await this.#unmap(firstGone * PAGE_SIZE, Infinity)
    } finally {
      await this.#release(taken)
    }
  }

  /**
   * Makes the bytes zeros. Whole pages are freed and unmapped everywhere, each area with the event 'clear'; private copies stay. The size
   * stays. Not under the mmap lock. Linux: `fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)`.
   */
  async punchHole(offset: number, length: number): Promise<void> {
    const end = offset + length
    checkUnsigned('punchHole', { offset, length, end })
    if (length === 0) throw errno('EINVAL', 'punchHole: expected a length above 0')
    const first = Math.ceil(offset / PAGE_SIZE)
    const last = Math.max(first, Math.floor(end / PAGE_SIZE))
    await this.#zero(offset, Math.min(end, first * PAGE_SIZE))
    await this.#zero(Math.max(offset, last * PAGE_SIZE), end)
    if (first === last) return
    const taken = await this.#lock.section(() => this.cache.take(first, last))
    try {
      await this.#unmap(first * PAGE_SIZE, last * PAGE_SIZE, taken)
    } finally {
      await this.#release(taken)
    }
  }

  /** The name goes: the pages are freed when no area maps the file any more. Linux: `unlink()`, `shmctl(IPC_RMID)`. */
  async unlink(): Promise<void> {
    this.cache.linked = false
    await this.#lock.section(() => { this.cache.evictUnused() })
  }

  /** Zeros what is in memory of a piece of one page. */
  async #zero(start: number, end: number): Promise<void> {
    if (end <= start) return
    await this.#eachPage(start, new Uint8Array(end - start), (index, within, piece) => {
      const frame = this.cache.get(index)
      if (frame !== undefined) this.#frames.write(frame, within, piece)
    })
  }

  async #unmap(start: number, end: number, only?: ReadonlyMap<number, number>): Promise<void> {
    for (const mapper of this.cache.mappers) await mapper.unmapFile(this, start, end, only)
  }

  #release(taken: ReadonlyMap<number, number>): Promise<void> {
    return this.#lock.section(() => {
      for (const frame of taken.values()) this.#frames.put(frame)
    })
  }

  /**
   * Calls `step` once for each page that the bytes from `offset` on touch, with the place in the page and the piece of `bytes`; each is
   * one step of the task.
   */
  async #eachPage(offset: number, bytes: Uint8Array, step: (index: number, within: number, piece: Uint8Array) => void): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const index = Math.floor((offset + done) / PAGE_SIZE)
      const within = offset + done - index * PAGE_SIZE
      const piece = bytes.subarray(done, done + PAGE_SIZE - within)
      await this.#lock.section(() => { step(index, within, piece) })
      done += piece.length
    }
  }
}
