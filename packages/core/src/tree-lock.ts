import type { Task } from '@mmu-notifier/kernel'
import { checkInterval, type Interval } from './interval.ts'
import type { IntervalNotifier, Notifier } from './notifier.ts'
import type { Operations } from './operations.ts'
import type { IntervalNotifierOps } from './ops.ts'
import { broken } from './rules.ts'

/** One interval to insert; `data` may be left out where the ops hang nothing on their notifiers. */
export type Insertion<Data = unknown> = {
  readonly interval: Interval
  readonly ops: IntervalNotifierOps<Data>
} & (undefined extends Data ? { readonly data?: Data } : { readonly data: Data })

/** What a batch does, all at once or not at all. */
export interface BatchRequest<Data = unknown> {
  /** Made dying now; as in `removeDeferred` each gives its owner's reference back when it has left the tree. */
  readonly remove?: readonly IntervalNotifier<Data>[]
  /** The same notifiers with other intervals: see {@link TreeView.update}. */
  readonly update?: readonly { readonly notifier: IntervalNotifier<Data>; readonly interval: Interval }[]
  /** In effect, for a reader, after its next `readBegin`. */
  readonly insert?: readonly Insertion<Data>[]
}

/**
 * What one may do while the interval tree is locked for read, and only then: the capability that the thread wants asserted. In a callback
 * it is `range.tree`; elsewhere {@link TreeReadLock}. Use after its end, or by another task, throws LOCKDEP.
 */
export interface TreeView {
  /**
   * The first notifier with these ops that overlaps [start, last], in order of start address. No reference is taken: it stays valid as long
   * as the tree is locked, so `get()` before the unlock. Linux: the thread's `mmu_interval_notifier_find()`.
   */
  find<Data>(ops: IntervalNotifierOps<Data>, start: number, last: number): Promise<IntervalNotifier<Data> | undefined>
  /** The next one after `after`. */
  findNext<Data>(after: IntervalNotifier<Data>, start: number, last: number): Promise<IntervalNotifier<Data> | undefined>
  /**
   * Removes and inserts as one unit: queued in one critical section, applied in one at the end of the last invalidation or tree lock.
   * ENOENT when one to be removed or updated is dying already, EINVAL when the address space has no users left or has had no interval yet, RangeError for an interval that is
   * none; then nothing was queued. Never blocks.
   * @returns the inserted notifiers, in order, one reference (the owner's) each
   */
  batch<Data>(request: BatchRequest<Data>): Promise<IntervalNotifier<Data>[]>
  /**
   * Gives the notifier another interval: a batch of that alone. It keeps its identity and references. Callbacks come for the old interval until it is applied; whoever reads
   * goes on after his next `readBegin`, when it is. The last of several wins. An empty interval (`start > last`) gets no notification, so it is a removal. ENOENT when it is
   * dying. The caller orders its own updates, puts and removals of one notifier, by the user lock say. Linux: the thread's `mmu_interval_notifier_update()`.
   */
  update<Data>(notifier: IntervalNotifier<Data>, interval: Interval): Promise<void>
}

/** The read side of the tree lock. It freezes the tree and blocks nobody, but removals, and releases with them, wait for its end. */
export interface TreeReadLock extends TreeView {
  /** The last one to leave applies what was deferred, and runs the releases. */
  unlock(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export class Tree implements TreeReadLock {
  readonly #operations: Operations
  readonly #task: Task
  #ended = false

  constructor(operations: Operations) {
    this.#operations = operations
    this.#task = operations.kernel.current
  }

  async find<Data>(ops: IntervalNotifierOps<Data>, start: number, last: number): Promise<IntervalNotifier<Data> | undefined> {
    return this.#find('find', ops, start, last)
  }

  async findNext<Data>(after: IntervalNotifier<Data>, start: number, last: number): Promise<IntervalNotifier<Data> | undefined> {
    return this.#find('findNext', after.ops, start, last, after as Notifier<Data>)
  }

  async batch<Data>({ remove = [], update = [], insert = [] }: BatchRequest<Data>): Promise<IntervalNotifier<Data>[]> {
    const operations = this.#locked('batch')
    for (const notifier of remove) this.#own('batch', notifier as Notifier)
    for (const { notifier, interval } of update) {
      this.#own('batch', notifier as Notifier)
      if (interval.start <= interval.last) checkInterval(interval)
    }
    const inserted = insert.map(({ interval, ops, data }) => operations.create(interval, ops, data as Data))
    await operations.batch({
      remove: remove as Notifier[],
      update: update.map(({ notifier, interval }) => ({ entry: notifier as Notifier, interval })),
      insert: inserted,
    })
    return inserted
  }

  async update<Data>(notifier: IntervalNotifier<Data>, interval: Interval): Promise<void> {
    await this.batch({ update: [{ notifier, interval }] })
  }

  async unlock(): Promise<void> {
    const operations = this.#locked('unlock')
    this.end()
    await operations.unlockTree()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unlock()
  }

  /** The tree may thaw from here on. */
  end(): void {
    this.#ended = true
  }

  async #find<Data>(by: string, ops: IntervalNotifierOps<Data>, start: number, last: number, after?: Notifier<Data>): Promise<Notifier<Data> | undefined> {
    const operations = this.#locked(by)
    checkInterval({ start, last })
    return (await operations.find(ops, start, last, after)) as Notifier<Data> | undefined
  }

  #own(by: string, notifier: Notifier): void {
    notifier.assertAlive(by)
    const { mm } = this.#operations
    const theirs = notifier.operations.mm
    if (theirs !== mm) broken(mm.kernel, 'tree', `${by} under the tree lock of ${mm.name} for a notifier of ${theirs.name}`, by)
  }

  #locked(by: string): Operations {
    const { kernel, mm } = this.#operations
    if (this.#ended) broken(kernel, 'tree', `${by} on a tree lock of ${mm.name} that has ended`, by)
    if (kernel.current !== this.#task) broken(kernel, 'tree', `${by} on a tree lock of ${mm.name} that task ${this.#task.name} holds`, by)
    return this.#operations
  }
}
