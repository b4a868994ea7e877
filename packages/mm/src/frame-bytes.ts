import type { Cell, Kernel } from '@mmu-notifier/kernel'
import { PAGE_SIZE } from './constants.ts'

/** Of 4 KiB each. */
const MOST_SPARE = 256
const SMALLEST_SLAB = 4 * PAGE_SIZE
const LARGEST_SLAB = 64 * PAGE_SIZE

/** The bytes of the frames that were written, 4 KiB each; all others are zeros. Devices use them under a lock of their own, so that they change is in a cell. */
export class FrameBytes {
  /** By frame. */
  readonly #data: (Uint8Array | undefined)[] = []
  /** Bytes of frames that are free now: the next ones to be written take them over. */
  readonly #spare: Uint8Array[] = []
  /** Bytes that no frame has had yet, from `#slabAt` on: pages come in slabs, each twice the one before. */
  #slab = new Uint8Array(0)
  #slabAt = 0
  /** How often frames were written, or made zeros. */
  readonly #changes: Cell<number>

  constructor(kernel: Kernel) {
    this.#changes = kernel.cell('memory', 0)
  }

  /** Frames up to the last one that was ever written. */
  get length(): number {
    return this.#data.length
  }

  /** Undefined when they are zeros. */
  of(frame: number): Uint8Array | undefined {
    this.#looked()
    return this.#data[frame]
  }

  /** The bytes of a frame that is going to be written. @param overwritten all of them, so that new ones need not be zeros */
  make(frame: number, overwritten: boolean): Uint8Array {
    this.#changes.value++
    return this.#data[frame] ?? (this.#data[frame] = this.#blank(overwritten))
  }

  /** They are zeros again. */
  drop(frame: number): void {
    this.#changes.value++
    const data = this.#data[frame]
    if (!data) return
    this.#data[frame] = undefined
    if (this.#spare.length < MOST_SPARE) this.#spare.push(data)
  }

  /** Bytes are read: a checker is told. */
  #looked(): number {
    return this.#changes.value
  }

  #blank(overwritten: boolean): Uint8Array {
    const spare = this.#spare.pop()
    if (spare) return overwritten ? spare : spare.fill(0)
    if (this.#slabAt === this.#slab.length) {
      this.#slab = new Uint8Array(Math.min(2 * this.#slab.length, LARGEST_SLAB) || SMALLEST_SLAB)
      this.#slabAt = 0
    }
    return this.#slab.subarray(this.#slabAt, (this.#slabAt += PAGE_SIZE))
  }
}
