import { LockdepError, type Task } from '@mmu-notifier/kernel'
import type { Context } from './context.ts'
import { checkInterval, type Interval } from './interval.ts'
import { Notifier, type IntervalNotifier } from './notifier.ts'
import type { IntervalNotifierOps } from './ops.ts'

/** One interval to insert; `data` may be left out where the ops hang nothing on their notifiers. */
export type Insertion<Data = unknown> = {
  readonly interval: Interval
  readonly ops: IntervalNotifierOps<Data>
} & (undefined extends Data ? { readonly data?: Data } : { readonly data: Data })

/** What a batch does, all at once or not at all. */
export interface BatchRequest<Data = unknown> {
  /** Made dying now; as in `removeDeferred` each gives its owner's reference back when it has left the tree. */
  readonly remove?: readonly IntervalNotifier<Data>[]
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
   * ENOENT when one to be removed is dying already, EINVAL when the address space has no users left, RangeError for an interval that is
   * none; then nothing was queued. Never blocks.
   * @returns the inserted notifiers, in order, one reference (the owner's) each
   */
  batch<Data>(request: BatchRequest<Data>): Promise<IntervalNotifier<Data>[]>
}

/** The read side of the tree lock. It freezes the tree and blocks nobody, but removals, and releases with them, wait for its end. */
export interface TreeReadLock extends TreeView {
  /** The last one to leave applies what was deferred, and runs the releases. */
  unlock(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export class Tree implements TreeReadLock {
  readonly #context: Context
  readonly #task: Task
  #ended = false

  constructor(context: Context) {
    this.#context = context
    this.#task = context.kernel.current
  }

  async find<Data>(ops: IntervalNotifierOps<Data>, start: number, last: number): Promise<IntervalNotifier<Data> | undefined> {
    return this.#find(ops, start, last)
  }

  async findNext<Data>(after: IntervalNotifier<Data>, start: number, last: number): Promise<IntervalNotifier<Data> | undefined> {
    return this.#find(after.ops, start, last, after as Notifier<Data>)
  }

  async #find<Data>(ops: IntervalNotifierOps<Data>, start: number, last: number, after?: Notifier<Data>): Promise<Notifier<Data> | undefined> {
    const { kernel, lock, protocol } = this.#locked('find')
    checkInterval({ start, last })
    const found = (await lock.section(() => protocol.find(ops, start, last, after as Notifier | undefined))) as Notifier<Data> | undefined
    kernel.trace('mmu_notifier:find', found, start, last)
    return found
  }

  async batch<Data>(request: BatchRequest<Data>): Promise<IntervalNotifier<Data>[]> {
    const context = this.#locked('batch')
    const remove = (request.remove ?? []) as Notifier<Data>[]
    for (const notifier of remove) {
      notifier.assertAlive('batch')
      if (notifier.context !== context) throw new LockdepError(`batch under the tree lock of ${context.owner.name} removes a notifier of ${notifier.context.owner.name}`)
    }
    const insert = (request.insert ?? []).map(({ interval, ops, data }) => context.create(interval, ops, data as Data))
    const { kernel, lock, protocol, register, finish } = context
    const released = await lock.section(() => {
      const now = protocol.batch({ remove: remove, insert: insert })
      for (const notifier of insert) register(notifier)
      return now
    })
    kernel.trace('mmu_notifier:batch', remove, insert)
    await finish(released)
    return insert
  }

  async unlock(): Promise<void> {
    const { lock, map, protocol, wake } = this.#locked('unlock')
    this.end()
    map.release()
    await wake(await lock.section(() => protocol.end()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unlock()
  }

  /** The tree may thaw from here on. */
  end(): void {
    this.#ended = true
  }

  #locked(by: string): Context {
    const { kernel, owner } = this.#context
    if (this.#ended) throw new LockdepError(`task ${kernel.current.name} calls ${by} on a tree lock of ${owner.name} that has ended`)
    if (kernel.current !== this.#task) {
      throw new LockdepError(`task ${kernel.current.name} calls ${by} on a tree lock of ${owner.name} that task ${this.#task.name} holds`)
    }
    return this.#context
  }
}
