import type { PhysicalMemory, VmFile } from '@mmu-notifier/mm'
import type { RecordedFile } from './arguments.ts'

/** A System V segment whose shmget was recorded. */
export interface Segment {
  readonly file: VmFile
  /** Bytes. */
  readonly size: number
}

/** What the address spaces of a recording map in common. Sizes of files are not known, so nothing lies behind the end of one. */
export class RecordedObjects {
  readonly #memory: PhysicalMemory
  readonly #files = new Map<string, VmFile>()
  readonly #segments = new Map<number, Segment>()
  readonly #attached = new Map<number, VmFile>()

  constructor(memory: PhysicalMemory) {
    this.#memory = memory
  }

  /** The file of a path; without a path one of its own, which goes with its last mapping. */
  file({ path }: RecordedFile): VmFile {
    if (path === undefined) return this.#memory.anonymousFile('file', Infinity)
    return this.#once(path, () => this.#memory.createFile({ name: path, size: Infinity }))
  }

  /** A file that was mapped before, for calls by descriptor. */
  known({ path }: RecordedFile): VmFile | undefined {
    return path === undefined ? undefined : this.#files.get(path)
  }

  special(name: string): VmFile {
    return this.#once(name, () => this.#memory.createFile({ name, kind: 'special' }))
  }

  /** Shared anonymous memory that was mapped before the recording began. */
  sharedAnonymous(inode: number): VmFile {
    return this.#once(`/dev/zero (deleted) ${inode}`, () => this.#memory.createFile({ name: '/dev/zero (deleted)', size: Infinity }))
  }

  /** shmget returned `id`. The first to name a segment knows its size; later ones may say less. */
  createSegment(id: number, key: string, size: number): void {
    const old = this.#segments.get(id)
    if (old && size <= old.size) return
    this.#segments.set(id, { file: this.segment(id, key), size })
  }

  findSegment(id: number): Segment | undefined {
    return this.#segments.get(id)
  }

  /** The object of a segment, its size known or not. */
  segment(id: number, key = ''): VmFile {
    let file = this.#attached.get(id)
    if (!file) this.#attached.set(id, (file = this.#memory.createFile({ name: `/SYSV${key}`, kind: 'shm', size: Infinity })))
    return file
  }

  /** The recording is over: the page caches are freed with the last mapping. */
  async release(): Promise<void> {
    for (const file of [...this.#files.values(), ...this.#attached.values()]) await file.unlink()
  }

  #once(name: string, create: () => VmFile): VmFile {
    let file = this.#files.get(name)
    if (!file) this.#files.set(name, (file = create()))
    return file
  }
}
