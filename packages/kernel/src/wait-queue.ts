import { refusedSleep } from './lockdep.ts'
import { AGAIN, operation, type Operation, type Scheduler, type Target } from './scheduler.ts'
import { byTask, type Task } from './task.ts'

/** Tasks that sleep until something has changed. Linux: `wait_queue_head_t`. */
export interface WaitQueue {
  readonly name: string
  /**
   * Sleeps until `predicate` is true. It is asked once before sleeping, in the same step that queues the task (so a wake-up cannot be
   * lost), and again after each wake-up; without a wake-up it is not asked. It reads cells, or what only the
   * operations on this queue change: a checker sees nothing else. Linux: `wait_event()`.
   */
  until(predicate: () => boolean): Promise<void>
  /** Wakes all that sleep now. Linux: `wake_up_all()`. */
  wakeAll(): Promise<void>
  /**
   * Wakes one that sleeps now: running freely the one that has slept longest; a scheduler that explores tries each. It looks at its predicate, and
   * sleeps on if that is false. Linux: `wake_up()` of exclusive waiters.
   */
  wakeOne(): Promise<void>
}

interface Sleeper {
  woken: boolean
  readonly task: Task
}

export class KernelWaitQueue implements WaitQueue, Target {
  id = 0
  readonly name: string
  readonly scheduler: Scheduler
  /** Longest first. */
  sleepers: Sleeper[] = []

  constructor(scheduler: Scheduler, name: string) {
    this.scheduler = scheduler
    this.name = name
  }

  until(predicate: () => boolean): Promise<void> {
    return refusedSleep(this.scheduler, 'wait', this.name) ?? this.scheduler.step(UNTIL, this, predicate, { woken: true, task: this.scheduler.current })
  }

  wakeAll(): Promise<void> {
    return this.scheduler.step(WAKE_ALL, this, undefined, undefined)
  }

  wakeOne(): Promise<void> {
    return this.scheduler.step(WAKE_ONE, this, undefined, undefined)
  }
}

const UNTIL: Operation<KernelWaitQueue, () => boolean, Sleeper, void> = operation({
  kind: 'wait',
  access: 'read',
  ready: (_queue, predicate) => predicate(),
  enabled: (_queue, _predicate, sleeper) => sleeper.woken,
  perform(queue, predicate, sleeper) {
    if (predicate()) return
    sleeper.woken = false
    queue.sleepers.push(sleeper)
    return AGAIN
  },
})

const WAKE_ALL: Operation<KernelWaitQueue, undefined, undefined, void> = operation({
  kind: 'wake',
  access: 'write',
  perform(queue) {
    if (queue.sleepers.length === 0) return
    for (const sleeper of queue.sleepers) sleeper.woken = true
    queue.sleepers = []
  },
})

const WAKE_ONE: Operation<KernelWaitQueue, undefined, undefined, void> = operation({
  kind: 'wake',
  note: '(one)',
  access: 'write',
  ways: ({ sleepers }) => Math.max(1, sleepers.length),
  perform(queue, _a, _b, way) {
    const { sleepers } = queue
    // Two waits commute, so their order in the queue is no name for a sleeper that every equivalent execution knows; their tasks' names are.
    const chosen = way === undefined ? sleepers[0] : sleepers.toSorted(byTask)[way]
    if (!chosen) return
    chosen.woken = true
    queue.sleepers = sleepers.filter((sleeper) => sleeper !== chosen)
  },
})
