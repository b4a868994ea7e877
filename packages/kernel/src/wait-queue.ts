import type { Lockdep } from './lockdep.ts'
import type { Operation, Scheduler } from './scheduler.ts'

/** Tasks that sleep until something has changed. Linux: `wait_queue_head_t`. */
export interface WaitQueue {
  readonly name: string
  /**
   * Sleeps until `predicate` is true. It is asked once before sleeping, in the same step that queues the task (so a wake-up cannot be
   * lost), and again after each wake-up; without a wake-up it is not asked. It reads cells, or what only the
   * operations on this queue change: a checker sees nothing else. Linux: `wait_event()`.
   */
  until(predicate: () => boolean): Promise<void>
  /** Wakes all that sleep now. */
  wakeAll(): Promise<void>
}

export class KernelWaitQueue implements WaitQueue {
  readonly name: string
  readonly #scheduler: Scheduler
  readonly #lockdep: Lockdep
  #sleepers: { woken: boolean }[] = []
  readonly #wake: Operation<void>

  constructor(scheduler: Scheduler, lockdep: Lockdep, name: string) {
    this.#scheduler = scheduler
    this.#lockdep = lockdep
    this.name = name
    this.#wake = {
      kind: 'wake',
      object: name,
      target: this,
      access: 'write',
      enabled: () => true,
      perform: () => {
        for (const sleeper of this.#sleepers) sleeper.woken = true
        this.#sleepers = []
      },
    }
  }

  async until(predicate: () => boolean): Promise<void> {
    this.#lockdep.mightSleep(this.#scheduler.current, `wait ${this.name}`)
    const sleeper = { woken: true }
    const check: Operation<boolean> = {
      kind: 'wait',
      object: this.name,
      target: this,
      access: 'read',
      ready: predicate,
      enabled: () => sleeper.woken,
      perform: () => {
        if (predicate()) return true
        sleeper.woken = false
        this.#sleepers.push(sleeper)
        return false
      },
    }
    while (!(await this.#scheduler.step(check)));
  }

  wakeAll(): Promise<void> {
    return this.#scheduler.step(this.#wake)
  }
}
