import { refusedSleep } from './lockdep.ts'
import { operation, type Operation, type Scheduler, type Target } from './scheduler.ts'

/** A count of how often something was completed, for tasks that wait for it. Linux: `struct completion`. */
export interface Completion {
  readonly name: string
  /** Something was completed and not waited for yet. A plain access, as `Cell.value` is. Linux: `completion_done()`. */
  readonly done: boolean
  /** Lets one waiter go on, of now or later. */
  complete(): Promise<void>
  /** Lets all waiters go on, now and for ever. */
  completeAll(): Promise<void>
  /** Waits for a completion, and uses it up. Of several waiters any may be the one. Linux: `wait_for_completion()`. */
  wait(): Promise<void>
  /** @returns false, without waiting, when there is nothing to use up. Linux: `try_wait_for_completion()`. */
  tryWait(): Promise<boolean>
}

export class KernelCompletion implements Completion, Target {
  id = 0
  readonly name: string
  readonly scheduler: Scheduler
  /** Completed and not waited for; infinite after {@link completeAll}. */
  state = 0

  constructor(scheduler: Scheduler, name: string) {
    this.scheduler = scheduler
    this.name = name
  }

  get done(): boolean {
    this.scheduler.touched?.(this, 'read')
    return this.state > 0
  }

  complete(): Promise<void> {
    return this.scheduler.step(COMPLETE, this, undefined, undefined)
  }

  completeAll(): Promise<void> {
    return this.scheduler.step(COMPLETE_ALL, this, undefined, undefined)
  }

  wait(): Promise<void> {
    return refusedSleep(this.scheduler, 'wait', this.name) ?? this.scheduler.step(WAIT, this, undefined, undefined)
  }

  tryWait(): Promise<boolean> {
    return this.scheduler.step(TRY_WAIT, this, undefined, undefined)
  }
}

/** What is infinite stays so. */
const finite = (count: unknown): boolean => count !== Infinity

const COMPLETE: Operation<KernelCompletion, undefined, undefined, void> = operation({
  kind: 'complete',
  access: 'write',
  changes: finite,
  perform: (completion) => { completion.state++ },
})

const COMPLETE_ALL: Operation<KernelCompletion, undefined, undefined, void> = operation({
  kind: 'complete',
  note: '(all)',
  access: 'write',
  changes: finite,
  perform: (completion) => { completion.state = Infinity },
})

const WAIT: Operation<KernelCompletion, undefined, undefined, void> = operation({
  kind: 'wait',
  access: 'write',
  enabled: ({ state }) => state > 0,
  possible: (count) => count !== 0,
  changes: finite,
  perform: (completion) => { completion.state-- },
})

const TRY_WAIT: Operation<KernelCompletion, undefined, undefined, boolean> = operation({
  kind: 'wait',
  note: '(try)',
  access: 'write',
  changes: (count) => count !== 0 && finite(count),
  perform(completion) {
    if (completion.state === 0) return false
    completion.state--
    return true
  },
})
