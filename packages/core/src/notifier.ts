import type { Cell, Memory } from '@mmu-notifier/kernel'
import { planned, type Entry, type Phase, type Removal } from './entry.ts'
import { hex, without, type AddressRange, type Interval } from './interval.ts'
import type { Operations } from './operations.ts'
import type { IntervalNotifierOps } from './ops.ts'

/**
 * One registered interval of one driver, counted. `start` and `last` are what callbacks come for; `TreeView.update` changes them when it is applied. `insert` gives the first reference, the owner's; `find` gives none: `get()` before the
 * tree is unlocked. Linux: `struct mmu_interval_notifier`; the references are the thread's.
 */
export interface IntervalNotifier<Data = unknown> extends Interval {
  readonly ops: IntervalNotifierOps<Data>
  /** What the driver hung on it at `insert`. */
  readonly data: Data
  /**
   * True from the moment its removal was asked for; never false again. `find` skips it and `readRetry` is always true. For looking, not for deciding: nothing orders it
   * against the removal, and a checker does not see it. A reader learns it from {@link readBegin}.
   */
  readonly dying: boolean
  /** Now; for looking, not for deciding. */
  readonly references: number

  /**
   * Opens a read of the CPU page tables for this interval. Waits until an invalidation that hit it, and every insert or batch that concerns
   * it, is over. Not under a lock that a callback takes, not in a callback, not under the tree lock. Linux: `mmu_interval_read_begin()`.
   * @returns the sequence number for {@link readRetry}, which is odd; a negative one when the notifier is dying, so that every read has to be begun again: give up, and look
   * for another interval
   */
  readBegin(): Promise<number>
  /**
   * Closes it: true when what was read since `readBegin` may be stale, and one has to start again. Under the user lock, and in the same
   * critical section the device is programmed. Linux: `mmu_interval_read_retry()`.
   */
  readRetry(seq: number): Promise<boolean>
  /** A hint without the user lock: true is final, false means nothing. Linux: `mmu_interval_check_retry()`. */
  checkRetry(seq: number): Promise<boolean>
  /**
   * Tells the readers. Only in `invalidate`, under the user lock, always, with the number that the callback got. Linux:
   * `mmu_interval_set_seq()`.
   */
  setSeq(seq: number): Promise<void>

  /** Takes a reference: under the tree lock, or while holding another one. ENOENT when `remove()` has come first, which lets nobody keep it. Never blocks. */
  get(): Promise<void>
  /**
   * Gives a reference back; legal anywhere, callbacks included, never blocks. The last one removes the interval, at once or when the tree
   * thaws, and `ops.release` follows.
   */
  put(): Promise<void>
  /**
   * The thread's asynchronous removal: makes the notifier dying now, takes the interval out at once or when the tree thaws, then gives the
   * owner's reference back. Legal in callbacks, never blocks. ENOENT when it is dying already.
   *
   * Callbacks may still come until it is applied; then nobody is told of changes any more, so what the device still maps of the interval has to
   * be unmapped before. Call this in a callback or under the tree lock, and unmap under the user lock before that ends (claim C41).
   */
  removeDeferred(): Promise<void>
  /**
   * The synchronous removal: waits until no callback runs and none will come, then the notifier is the caller's to free, without `release`.
   * Not in a callback, not under the tree lock or a lock that a callback takes. EBUSY while others hold references, ENOENT when it is
   * dying. Linux: `mmu_interval_notifier_remove()`.
   */
  remove(): Promise<void>
  /** What `range` leaves of the interval, as it will be when every update is applied: `[]`, `[left]`, `[right]` or `[left, right]`. Under the tree lock. */
  without(range: AddressRange): Interval[]
  /**
   * The owner gives the memory back: in `release`, or after `remove`. Any later use, by anybody, is a UAF error that names the interval.
   * (Optional: JavaScript frees by itself; this makes the moment checkable. Linux: `kfree()`.)
   */
  free(): void
}

export class Notifier<Data = unknown> implements IntervalNotifier<Data>, Entry {
  readonly ops: IntervalNotifierOps<Data>
  readonly data: Data
  readonly operations: Operations
  readonly memory: Memory
  // What follows belongs to the protocol and changes in its critical sections only.
  readonly id: number
  readonly seq: Cell<number>
  readonly place: Cell<Interval>
  readonly updated: Cell<Interval | undefined>
  references: number
  phase: Phase = 'new'
  removal: Removal | undefined
  seen = false
  handle = -1
  readonly #name: string

  constructor(operations: Operations, id: number, interval: Interval, ops: IntervalNotifierOps<Data>, data: Data, references = 1) {
    const { kernel, mm } = operations
    const name = `[${hex(interval.start)}, ${hex(interval.last)}]`
    this.#name = name
    this.operations = operations
    this.id = id
    this.seq = kernel.cell(`seq of ${name}`, 1)
    this.place = kernel.cell(`interval of ${name}`, { start: interval.start, last: interval.last })
    this.updated = kernel.cell<Interval | undefined>(`update of ${name}`, undefined)
    this.memory = kernel.memory(`the notifier ${name} of ${mm.name}`)
    this.references = references
    this.ops = ops
    this.data = data
  }

  get start(): number {
    return this.place.value.start
  }

  get last(): number {
    return this.place.value.last
  }

  get dying(): boolean {
    return this.removal !== undefined
  }

  async readBegin(): Promise<number> {
    return this.#used('readBegin').readBegin(this)
  }

  async readRetry(seq: number): Promise<boolean> {
    return this.#used('readRetry').readRetry(this, seq)
  }

  async checkRetry(seq: number): Promise<boolean> {
    return this.#used('checkRetry').readRetry(this, seq)
  }

  async setSeq(seq: number): Promise<void> {
    await this.#used('setSeq').setSeq(this, seq)
  }

  async get(): Promise<void> {
    await this.#used('get').get(this)
  }

  async put(): Promise<void> {
    await this.#used('put').put(this)
  }

  async removeDeferred(): Promise<void> {
    await this.#used('removeDeferred').removeDeferred(this)
  }

  async remove(): Promise<void> {
    await this.#used('remove').remove(this)
  }

  without(range: AddressRange): Interval[] {
    return without(planned(this), range)
  }

  /** The interval that it was made for: its name in reports, also when an update has moved it. */
  toString(): string {
    return this.#name
  }

  free(): void {
    this.memory.free()
  }

  assertAlive(by: string): void {
    this.memory.use(by)
  }

  #used(by: string): Operations {
    this.memory.use(by)
    return this.operations
  }
}
