import { mightSleep, type HeldLock, type Lockdep } from './lockdep.ts'
import { operation, type Operation, type Scheduler, type Target } from './scheduler.ts'
import { Span, WAIT_OUT } from './span.ts'

/**
 * Work that is done later, by another task: one item at a time, in the order in which they were queued. Linux: `alloc_ordered_workqueue()`.
 *
 * Each item has a task of its own, which waits for the item before it; so nothing is left waiting when all work is done. What an item throws is what that task throws.
 * To the lock validator an item holds the queue, and {@link flush} takes it.
 */
export interface WorkQueue {
  readonly name: string
  /** Never sleeps. Linux: `queue_work()`, with a new `work_struct`. */
  queue(work: () => Promise<void>): Promise<void>
  /** Waits until all that was queued before has been done. Linux: `flush_workqueue()`. */
  flush(): Promise<void>
}

export class KernelWorkQueue implements WorkQueue, Target {
  id = 0
  readonly name: string
  readonly scheduler: Scheduler
  readonly lockdep: Lockdep
  /** The item that was queued last, done or not. */
  last: Span | undefined
  /** What {@link flush} is in the order of locks. */
  readonly #flusher: HeldLock

  constructor(scheduler: Scheduler, lockdep: Lockdep, name: string) {
    this.scheduler = scheduler
    this.lockdep = lockdep
    this.name = name
    this.#flusher = { instance: this, lockClass: name, mode: 'write', spins: false }
  }

  async queue(work: () => Promise<void>): Promise<void> {
    const item = new Span(this, this.name, 'write', this.scheduler.current)
    this.scheduler.created?.(item)
    const previous = await this.scheduler.step(QUEUE, this, item, undefined)
    this.scheduler.spawn(this.name, () => this.#do(item, previous, work))
  }

  async flush(): Promise<void> {
    const task = this.scheduler.current
    mightSleep(task, 'flush', this.name)
    this.lockdep.check(task, this.#flusher)
    const last = await this.scheduler.step(FLUSH, this, undefined, undefined)
    if (last) await this.scheduler.step(WAIT_OUT, last, undefined, undefined)
  }

  async #do(item: Span, previous: Span | undefined, work: () => Promise<void>): Promise<void> {
    this.scheduler.current.held.push(item)
    if (previous) await this.scheduler.step(WAIT_OUT, previous, undefined, undefined)
    try {
      await work()
    } finally {
      await this.scheduler.step(DONE, item, this, undefined)
    }
  }
}

const QUEUE: Operation<KernelWorkQueue, Span, undefined, Span | undefined> = operation({
  kind: 'queue',
  access: 'write',
  perform(queue, item) {
    const { last } = queue
    queue.last = item
    return last
  },
})

const FLUSH: Operation<KernelWorkQueue, undefined, undefined, Span | undefined> = operation({
  kind: 'flush',
  access: 'read',
  perform: ({ last }) => last,
})

const DONE: Operation<Span, KernelWorkQueue, undefined, void> = operation({
  kind: 'write',
  note: '(done)',
  access: 'write',
  perform(item, { scheduler, lockdep }) {
    lockdep.released(scheduler.current, item)
    item.state = true
  },
})
