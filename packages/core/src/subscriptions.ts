import { isErrno, MmuNotifierError, type Kernel } from '@mmu-notifier/kernel'
import type { Context, NotifiedMm } from './context.ts'
import { checkInterval, checkRange, clamp, hex, type Interval } from './interval.ts'
import { Notifier, type IntervalNotifier } from './notifier.ts'
import type { IntervalNotifierOps, InvalidateEvent, InvalidateRange, InvalidateRequest } from './ops.ts'
import { Protocol, type Applied } from './protocol.ts'
import { Tree, type TreeReadLock } from './tree-lock.ts'

class Range implements InvalidateRange {
  readonly start: number
  readonly end: number
  readonly event: InvalidateEvent
  readonly owner: unknown
  readonly blockable: boolean
  readonly tree: Tree
  ended = false

  constructor(request: InvalidateRequest, blockable: boolean, tree: Tree) {
    this.start = request.start
    this.end = request.end
    this.event = request.event
    this.owner = request.owner
    this.blockable = blockable
    this.tree = tree
  }

  within(interval: Interval): Interval {
    const part = clamp(interval, this)
    if (part) return part
    throw new RangeError(`[${hex(interval.start)}, ${hex(interval.last)}] does not touch the invalidated range [${hex(this.start)}, ${hex(this.end)})`)
  }
}

/** The interval notifiers of one address space. Linux: `struct notifier_subscriptions` and the functions around it. */
export class NotifierSubscriptions {
  readonly #context: Context
  /** Registered and not released yet. */
  readonly #outstanding = new Set<Notifier>()
  #nextId = 0

  constructor(kernel: Kernel, owner: NotifiedMm) {
    this.#context = {
      kernel,
      owner,
      lock: kernel.spinLock('mmu_notifier_subscriptions_lock'),
      map: kernel.lockMap('mmu_notifier_invalidate_range_start'),
      queue: kernel.waitQueue('mmu_notifier_subscriptions_wq'),
      protocol: new Protocol<Notifier>(kernel.cell('mmu_notifier_seq', 2)),
      create: (interval, ops, data) => this.#create(interval, ops, data),
      register: (notifier) => this.#outstanding.add(notifier),
      forget: (notifier) => this.#outstanding.delete(notifier),
      finish: (released) => this.#finish(released),
      wake: (ended) => this.#wake(ended),
    }
  }

  /** Notifiers that are registered, or removed but not released yet: 0 when nothing leaks. */
  get outstanding(): number {
    return this.#outstanding.size
  }

  /** Operations that wait for the last invalidation or tree lock to end. */
  get deferred(): number {
    return this.#context.protocol.deferred.length
  }

  /** The address space's sequence number now; odd while the tree is frozen. For looking, not for deciding. */
  get seq(): number {
    return this.#context.protocol.seq.value
  }

  /** Invalidations and tree locks that have started and not ended. For looking. */
  get active(): number {
    return this.#context.protocol.active
  }

  /**
   * Registers an interval. It may be deferred: what the CPU page tables say of it may be used between `readBegin` and `readRetry` only, as
   * ever. Not in a callback (use `range.tree.batch`). EINVAL when the address space has no users left, RangeError for an interval that is
   * none. Linux: `mmu_interval_notifier_insert()`.
   * @returns the notifier with one reference, the owner's
   */
  insert(interval: Interval, ops: IntervalNotifierOps): Promise<IntervalNotifier>
  insert<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data): Promise<IntervalNotifier<Data>>
  async insert<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data?: Data): Promise<IntervalNotifier<Data>> {
    return this.#insert(this.#create(interval, ops, data as Data))
  }

  /**
   * The same with a second reference, the caller's, to be put: for an owner whose callbacks may remove the interval at any moment, also
   * between an `insert` and a `get`.
   */
  insertAndGet(interval: Interval, ops: IntervalNotifierOps): Promise<IntervalNotifier>
  insertAndGet<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data): Promise<IntervalNotifier<Data>>
  async insertAndGet<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data?: Data): Promise<IntervalNotifier<Data>> {
    const notifier = this.#create(interval, ops, data as Data)
    notifier.references++
    return this.#insert(notifier)
  }

  /** Locks the tree for read: never waits, blocks nobody, freezes the tree until `unlock`. The thread's "interval tree locked for read". */
  async lockTree(): Promise<TreeReadLock> {
    const { map, lock, protocol } = this.#context
    map.acquire('read', { tryLock: true })
    await lock.section(() => { protocol.lockTree() })
    return new Tree(this.#context)
  }

  /** Starts the removal of every notifier with these ops. Never blocks; {@link synchronize} waits for the releases. */
  async removeAll(ops: IntervalNotifierOps<never>): Promise<void> {
    const tree = await this.lockTree()
    try {
      for (;;) {
        const notifier = await tree.find(ops, 0, Number.MAX_SAFE_INTEGER)
        if (!notifier) return
        await notifier.removeDeferred()
      }
    } finally {
      await tree.unlock()
    }
  }

  /**
   * The barrier before an owner frees its ops: waits until every notifier whose removal was asked for before the call has been released.
   * Not in a callback, nor under the tree lock or a lock that a callback or release takes.
   */
  async synchronize(): Promise<void> {
    const { kernel, map, queue } = this.#context
    kernel.mightSleep('synchronize')
    map.acquire('write')
    map.release()
    const going = [...this.#outstanding].filter((notifier) => notifier.dying)
    await queue.until(() => going.every((notifier) => !this.#outstanding.has(notifier)))
  }

  /**
   * Brackets a change of the CPU page tables: starts the range, runs `body` when every callback has returned, ends the range. In `body` the
   * entries are changed and the pages freed.
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
  async invalidateRangeEnd(range: InvalidateRange): Promise<void> {
    const { kernel, lock, protocol, wake } = this.#context
    const started = range as Range
    if (started.ended) throw new TypeError(`the invalidation of [${hex(range.start)}, ${hex(range.end)}) has ended already`)
    started.ended = true
    started.tree.end()
    try {
      kernel.trace('mmu_notifier:range_end', range, this)
    } finally {
      await wake(await lock.section(() => protocol.end()))
    }
  }

  /**
   * The address space ends: one last invalidation of everything, before the page tables go. The intervals stay registered; their owners
   * still remove them. Linux: `mmu_notifier_release()`.
   */
  async release(): Promise<void> {
    await this.invalidate({ start: 0, end: Number.MAX_SAFE_INTEGER, event: 'release' }, async () => undefined)
  }

  async #insert<Data>(notifier: Notifier<Data>): Promise<IntervalNotifier<Data>> {
    const { kernel, lock, protocol } = this.#context
    kernel.mightSleep('insert')
    await lock.section(() => {
      protocol.insert(notifier)
      this.#outstanding.add(notifier)
    })
    kernel.trace('mmu_notifier:insert', notifier)
    return notifier
  }

  async #start(request: InvalidateRequest, blockable: boolean): Promise<Range | 'EAGAIN'> {
    checkRange(request)
    const { kernel, lock, map, protocol } = this.#context
    if (blockable) kernel.mightSleep('invalidateRangeStart')
    map.acquire('write')
    const range = new Range(request, blockable, new Tree(this.#context))
    try {
      const first = await lock.section(() => protocol.start(range))
      kernel.trace('mmu_notifier:range_start', range, this)
      // The walk is outside of the spinlock, because callbacks may sleep: a hit has frozen the tree. Every callback of the period gets the
      // same number.
      for (let notifier = first; notifier; notifier = protocol.next(notifier, range)) {
        if (await this.#call(notifier, range)) continue
        await this.invalidateRangeEnd(range)
        return 'EAGAIN'
      }
      return range
    } catch (error) {
      if (!range.ended) await this.invalidateRangeEnd(range)
      throw error
    } finally {
      map.release()
    }
  }

  async #call(notifier: Notifier, range: Range): Promise<boolean> {
    const { kernel, protocol } = this.#context
    notifier.assertAlive('the walk of an invalidation')
    kernel.trace('mmu_notifier:invalidate', notifier, range)
    try {
      return await notifier.ops.invalidate(notifier, range, protocol.seq.value)
    } catch (error) {
      // An errno would be taken for that of the system call that invalidates.
      if (!isErrno(error)) throw error
      throw new MmuNotifierError('WARN', `WARN  a callback of ${range.event} threw ${error.message}`, { cause: error })
    }
  }

  #create<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data): Notifier<Data> {
    checkInterval(interval)
    const { owner } = this.#context
    if (owner.users <= 0) throw new MmuNotifierError('EINVAL', `${owner.name} has no users left: it takes no more intervals`)
    return new Notifier(this.#context, this.#nextId++, interval, ops, data)
  }

  async #wake(ended: Applied<Notifier> | undefined): Promise<void> {
    if (!ended) return
    const { kernel, queue } = this.#context
    if (ended.applied.length > 0) kernel.trace('mmu_notifier:apply', ended.applied)
    await queue.wakeAll()
    await this.#finish(ended.released)
  }

  async #finish(released: readonly Notifier[]): Promise<void> {
    if (released.length === 0) return
    const { kernel, queue } = this.#context
    for (const notifier of released) {
      kernel.trace('mmu_notifier:release', notifier)
      await notifier.ops.release?.(notifier)
      notifier.freed = true
      this.#outstanding.delete(notifier)
    }
    await queue.wakeAll()
  }
}
