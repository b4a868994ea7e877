import { MmuNotifierError, type Cell } from '@mmu-notifier/kernel'
import type { Context } from './context.ts'
import { hex, without, type AddressRange, type Interval } from './interval.ts'
import type { IntervalNotifierOps } from './ops.ts'
import type { Entry, Phase } from './protocol.ts'

/**
 * One registered interval of one driver, counted. `insert` gives the first reference, the owner's; `find` gives none: `get()` before the
 * tree is unlocked. Linux: `struct mmu_interval_notifier`; the references are the thread's.
 */
export interface IntervalNotifier<Data = unknown> extends Interval {
  readonly ops: IntervalNotifierOps<Data>
  /** What the driver hung on it at `insert`. */
  readonly data: Data
  /** True from the moment its removal was asked for; never false again. `find` skips it and `readRetry` is always true. */
  readonly dying: boolean
  /** Now; for looking, not for deciding. */
  readonly references: number

  /**
   * Opens a read of the CPU page tables for this interval. Waits until an invalidation that hit it, and every insert or batch that concerns
   * it, is over. Not under a lock that a callback takes, not in a callback, not under the tree lock. Linux: `mmu_interval_read_begin()`.
   * @returns the sequence number for {@link readRetry}
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

  /** Takes a reference: under the tree lock, or while holding another one. Never blocks. */
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
   * Callbacks may still come until it is applied. After the call, unmap under the user lock what the device still maps of the interval:
   * nobody will be told of its changes.
   */
  removeDeferred(): Promise<void>
  /**
   * The synchronous removal: waits until no callback runs and none will come, then the notifier is the caller's to free, without `release`.
   * Not in a callback, not under the tree lock or a lock that a callback takes. EBUSY while others hold references, ENOENT when it is
   * dying. Linux: `mmu_interval_notifier_remove()`.
   */
  remove(): Promise<void>
  /** What `range` leaves of the interval: `[]`, `[left]`, `[right]` or `[left, right]`. */
  without(range: AddressRange): Interval[]
  /**
   * The owner gives the memory back: in `release`, or after `remove`. Any later use, by anybody, is a UAF error that names the interval.
   * (Optional: JavaScript frees by itself; this makes the moment checkable. Linux: `kfree()`.)
   */
  free(): void
}

export class Notifier<Data = unknown> implements IntervalNotifier<Data>, Entry {
  readonly start: number
  readonly last: number
  readonly ops: IntervalNotifierOps<Data>
  readonly data: Data
  readonly #context: Context
  // What follows belongs to the protocol and changes in its critical sections only.
  readonly id: number
  readonly seq: Cell<number>
  references = 1
  phase: Phase = 'new'
  seen = false
  ownerLeaves = false
  handle = -1
  freed = false

  constructor(context: Context, id: number, interval: Interval, ops: IntervalNotifierOps<Data>, data: Data) {
    this.#context = context
    this.id = id
    this.seq = context.kernel.cell(`seq of [${hex(interval.start)}, ${hex(interval.last)}]`, 0)
    this.start = interval.start
    this.last = interval.last
    this.ops = ops
    this.data = data
  }

  get context(): Context {
    return this.#context
  }

  get dying(): boolean {
    return this.phase === 'dying' || this.phase === 'dead' || this.phase === 'released'
  }

  async readBegin(): Promise<number> {
    const { kernel, lock, map, queue, protocol } = this.#used('readBegin')
    map.acquire('write')
    map.release()
    const { seq, invalidating } = await lock.section(() => protocol.readBegin(this))
    if (invalidating) {
      kernel.trace('mmu_notifier:wait', this)
      // Lock-free on purpose: who sees the new value early, while the deferred list is applied, touches nothing of it, and a later
      // invalidation needs the spinlock, so it finds the whole tree.
      await queue.until(() => protocol.seq.value !== seq)
    }
    return seq
  }

  readRetry(seq: number): Promise<boolean> {
    return this.checkRetry(seq)
  }

  async checkRetry(seq: number): Promise<boolean> {
    const { kernel } = this.#used('readRetry')
    const retry = (await this.seq.read()) !== seq || this.dying
    if (retry) kernel.trace('mmu_notifier:retry', this)
    return retry
  }

  async setSeq(seq: number): Promise<void> {
    this.assertAlive('setSeq')
    await this.seq.write(seq)
  }

  async get(): Promise<void> {
    const { lock, kernel, protocol } = this.#used('get')
    await lock.section(() => { protocol.get(this) })
    kernel.trace('mmu_notifier:get', this)
  }

  async put(): Promise<void> {
    const { lock, kernel, protocol, finish } = this.#used('put')
    const released = await lock.section(() => protocol.put(this))
    kernel.trace('mmu_notifier:put', this)
    await finish(released)
  }

  async removeDeferred(): Promise<void> {
    const { lock, kernel, protocol, finish } = this.#used('removeDeferred')
    const released = await lock.section(() => protocol.removeDeferred(this))
    kernel.trace('mmu_notifier:remove_deferred', this)
    await finish(released)
  }

  async remove(): Promise<void> {
    const { lock, kernel, map, queue, protocol, forget } = this.#used('remove')
    kernel.mightSleep('remove')
    map.acquire('write')
    map.release()
    kernel.trace('mmu_notifier:remove', this)
    const period = await lock.section(() => protocol.remove(this))
    // The period ends and the deferred list is applied in one section, so no look at the sequence falls between the two.
    if (period !== undefined) await queue.until(() => protocol.seq.value !== period)
    protocol.removed(this)
    forget(this)
  }

  without(range: AddressRange): Interval[] {
    return without(this, range)
  }

  free(): void {
    this.#used('free')
    this.freed = true
  }

  /** @throws UAF when the notifier was freed */
  assertAlive(by: string): void {
    if (!this.freed) return
    const { kernel, owner } = this.#context
    throw new MmuNotifierError('UAF', `UAF  ${by} by task ${kernel.current.name} uses the notifier ${this.#name} of ${owner.name} after it was freed`)
  }

  get #name(): string {
    return `[${hex(this.start)}, ${hex(this.last)}]`
  }

  #used(by: string): Context {
    this.assertAlive(by)
    return this.#context
  }
}
