import { isMmuNotifierError, MmuNotifierError } from '@mmu-notifier/kernel'
import type { MmuNotifier, MmuNotifierOps } from './classic.ts'
import { hex, type Interval } from './interval.ts'
import type { IntervalNotifier } from './notifier.ts'
import type { Operations } from './operations.ts'
import type { IntervalNotifierOps, InvalidateRange, InvalidateRequest } from './ops.ts'
import { Range } from './range.ts'
import { Tree, type TreeReadLock } from './tree-lock.ts'

/** Everything that an address space has in user space. */
const EVERYTHING = { start: 0, end: Number.MAX_SAFE_INTEGER }

/** The notifiers of one address space. Linux: `struct notifier_subscriptions` and the functions around it. */
export class NotifierSubscriptions {
  /** The steps; for checkers, no stable API. */
  readonly operations: Operations

  constructor(operations: Operations) {
    this.operations = operations
  }

  /** Notifiers that are registered, or removed but not released yet: 0 when nothing leaks. */
  get outstanding(): number {
    return this.operations.outstanding
  }

  /** The intervals with these ops that are in the tree and not dying: those that callbacks come for. For looking, in no order. */
  intervals(ops: IntervalNotifierOps<never>): Interval[] {
    const { entries } = this.operations.protocol
    return entries.flatMap((entry) => (entry?.ops === ops && entry.phase === 'live' ? [entry.place.value] : []))
  }

  /** Operations that wait for the last invalidation or tree lock to end. For looking, as all of these. */
  get deferred(): number {
    return this.operations.protocol.deferred.length
  }

  /** The address space's sequence number now; odd while the tree is frozen. */
  get seq(): number {
    return this.operations.protocol.seq.value
  }

  /** Invalidations and tree locks that have started and not ended. */
  get active(): number {
    return this.operations.protocol.active
  }

  /**
   * Registers an interval. It may be deferred: what the CPU page tables say of it may be used between `readBegin` and `readRetry` only, as
   * ever. The first one takes the mmap lock for write, so none may hold it; not in a callback, nor under the tree lock (use `batch`). EINVAL when the address space has no users left, RangeError for
   * an interval that is none. Linux: `mmu_interval_notifier_insert()`.
   * @returns the notifier with one reference, the owner's
   */
  insert(interval: Interval, ops: IntervalNotifierOps): Promise<IntervalNotifier>
  insert<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data): Promise<IntervalNotifier<Data>>
  insert<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data?: Data): Promise<IntervalNotifier<Data>> {
    return this.#insert(interval, ops, data as Data)
  }

  /** The same for a caller that holds the mmap lock for write. Linux: `mmu_interval_notifier_insert_locked()`. */
  insertLocked(interval: Interval, ops: IntervalNotifierOps): Promise<IntervalNotifier>
  insertLocked<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data): Promise<IntervalNotifier<Data>>
  insertLocked<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data?: Data): Promise<IntervalNotifier<Data>> {
    return this.#insert(interval, ops, data as Data, { locked: true })
  }

  /**
   * {@link insert} with a second reference, the caller's, to be put: for an owner whose callbacks may remove the interval at any moment, also
   * between an `insert` and a `get`.
   */
  insertAndGet(interval: Interval, ops: IntervalNotifierOps): Promise<IntervalNotifier>
  insertAndGet<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data): Promise<IntervalNotifier<Data>>
  insertAndGet<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data?: Data): Promise<IntervalNotifier<Data>> {
    return this.#insert(interval, ops, data as Data, { references: 2 })
  }

  /**
   * What the first {@link insert} does before anything else, for those who will insert by `batch` only: takes the mmap lock for write if there was no interval yet. Linux:
   * `mmu_notifier_register()` of no notifier.
   */
  registerIntervals(): Promise<void> {
    return this.operations.registerIntervals(false)
  }

  /** Registers a notifier of the whole address space, under the mmap lock. Linux: `mmu_notifier_register()`. */
  register(ops: MmuNotifierOps): Promise<MmuNotifier> {
    return this.operations.registerClassic(ops)
  }

  /** Locks the tree for read: never waits, blocks nobody, freezes the tree until `unlock`. The caller holds the address space, as a user or by `mmgrab`, until that has returned. The thread's "interval tree locked for read". */
  async lockTree(): Promise<TreeReadLock> {
    await this.operations.lockTree()
    return new Tree(this.operations)
  }

  /**
   * Starts the removal of every notifier with these ops. Never blocks, legal in callbacks; {@link synchronize} waits for the releases. Under the tree lock if the device maps anything, which is unmapped before that ends: see
   * {@link IntervalNotifier.removeDeferred}.
   */
  async removeAll(ops: IntervalNotifierOps<never>): Promise<void> {
    const tree = await this.lockTree()
    try {
      for (;;) {
        const notifier = await tree.find(ops, 0, Number.MAX_SAFE_INTEGER)
        if (!notifier) return
        try {
          await notifier.removeDeferred()
        } catch (error) {
          // Somebody else has come first.
          if (!isMmuNotifierError(error, 'ENOENT')) throw error
        }
      }
    } finally {
      await tree.unlock()
    }
  }

  /**
   * The barrier before an owner frees its ops: waits until every notifier whose removal was asked for before the call, by `put`, `removeDeferred` or a batch, has been released.
   * Not in a callback, nor under the tree lock or a lock that a callback or release takes. The caller holds the address space (`mmgrab`).
   */
  synchronize(): Promise<void> {
    return this.operations.synchronize()
  }

  /**
   * Brackets a change of the CPU page tables: starts the range, runs `body` when every callback has returned, ends the range. In `body` the
   * entries are changed and the pages freed. The caller holds the mmap lock or the rmap lock.
   */
  async invalidate<T>(request: InvalidateRequest, body: () => Promise<T>): Promise<T> {
    const range = await this.invalidateRangeStart(request)
    try {
      return await body()
    } finally {
      await this.invalidateRangeEnd(range)
    }
  }

  /**
   * Calls every notifier that the range touches. Pair it with {@link invalidateRangeEnd}. Linux: `mmu_notifier_invalidate_range_start()`.
   */
  async invalidateRangeStart(request: InvalidateRequest): Promise<InvalidateRange> {
    const range = await this.#start(request, true)
    if (range === 'EAGAIN') throw new MmuNotifierError('WARN', `WARN  a callback refused the blockable ${request.event} of [${hex(request.start)}, ${hex(request.end)})`)
    return range
  }

  /**
   * The same where nobody may wait. Linux: `mmu_notifier_invalidate_range_start_nonblock()`.
   * @returns EAGAIN when a callback refused: nothing was started, nothing may be changed, nothing is to be ended
   */
  invalidateRangeStartNonblock(request: InvalidateRequest): Promise<InvalidateRange | 'EAGAIN'> {
    return this.#start(request, false)
  }

  /** The entries are changed and the pages freed. Linux: `mmu_notifier_invalidate_range_end()`. */
  invalidateRangeEnd(range: InvalidateRange): Promise<void> {
    return this.operations.end(range as Range)
  }

  /**
   * The address space ends: one last invalidation of everything, before the page tables go. The intervals stay registered; their owners
   * still remove them. {@link NotifiedMm.mmput} calls it. Linux: `mmu_notifier_release()`.
   */
  async release(): Promise<void> {
    const operations = this.operations
    await operations.release(new Range({ ...EVERYTHING, event: 'release' }, true, new Tree(operations)))
  }

  /** The last `mmdrop`: any later use is a UAF. Linux: `mmu_notifier_subscriptions_destroy()`. */
  destroy(): void {
    this.operations.memory.free()
  }

  async #insert<Data>(
    interval: Interval,
    ops: IntervalNotifierOps<Data>,
    data: Data,
    { references = 1, locked = false }: { readonly references?: number; readonly locked?: boolean } = {},
  ): Promise<IntervalNotifier<Data>> {
    const notifier = this.operations.create(interval, ops, data, references)
    await this.operations.insert(notifier, locked)
    return notifier
  }

  async #start(request: InvalidateRequest, blockable: boolean): Promise<Range | 'EAGAIN'> {
    const range = new Range(request, blockable, new Tree(this.operations))
    return (await this.operations.start(range)) ? range : 'EAGAIN'
  }
}
