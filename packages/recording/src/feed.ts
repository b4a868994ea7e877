import type { Kernel } from '@mmu-notifier/kernel'

/** The next of a stream that is read ahead by one batch. Reading files is external to the kernel, whose other tasks run meanwhile. */
export class Feed<T> {
  readonly #kernel: Kernel
  readonly #batches: AsyncIterator<readonly T[]>
  #batch: readonly T[] = []
  #i = 0
  #ended = false

  constructor(kernel: Kernel, batches: AsyncIterator<readonly T[]>) {
    this.#kernel = kernel
    this.#batches = batches
  }

  /** What comes next, when it was read already. */
  get head(): T | undefined {
    return this.#batch[this.#i]
  }

  /** Takes the head. When it was the last of its batch, {@link fill} comes before the next look. */
  take(): T | undefined {
    return this.#batch[this.#i++]
  }

  /** Nothing was read ahead, and more may come. */
  get dry(): boolean {
    return this.#i >= this.#batch.length && !this.#ended
  }

  async fill(): Promise<void> {
    while (this.dry) {
      const next = await this.#kernel.external(this.#batches.next())
      this.#ended = next.done === true
      this.#batch = next.done === true ? [] : next.value
      this.#i = 0
    }
  }

  /** Nobody reads on: closes the file. */
  async close(): Promise<void> {
    if (!this.#ended && this.#batches.return) await this.#kernel.external(this.#batches.return())
  }
}
