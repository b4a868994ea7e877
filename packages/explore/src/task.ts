import type { HeldLock, Operation, Scheduler, SchedulerParts, Task } from '@mmu-notifier/kernel'
import type { Event } from './event.ts'

export interface Waiter {
  readonly operation: Operation
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A task of one execution. */
export class ExploredTask implements Task {
  readonly id: number
  readonly name: string
  readonly body: () => Promise<void>
  /** What the spawning task did last before. */
  readonly spawnedAfter: Event | undefined
  readonly #scheduler: Scheduler
  readonly #parts: SchedulerParts
  finished = false
  waiter: Waiter | undefined
  /** The operation could be performed when last asked; undefined before it was asked. */
  couldRun: boolean | undefined
  /** What made it possible, if it once was not. */
  enabledBy: Event | undefined
  /** How many tasks, and how many primitives, it has made: what numbers them alike in every execution. */
  children = 0
  primitives = 0
  lastEvent: Event | undefined
  /** The index of its first event in this turn of a retry loop, see `Kernel.cpuRelax`. */
  turn = 0

  constructor(id: number, name: string, body: () => Promise<void>, spawnedAfter: Event | undefined, scheduler: Scheduler, parts: SchedulerParts) {
    this.id = id
    this.name = name
    this.body = body
    this.spawnedAfter = spawnedAfter
    this.#scheduler = scheduler
    this.#parts = parts
  }

  get held(): readonly HeldLock[] {
    return this.#parts.held(this)
  }

  get waitsFor(): Operation | undefined {
    return this.waiter?.operation
  }

  join(): Promise<void> {
    return this.#scheduler.step({
      kind: 'join',
      object: this.name,
      target: this,
      access: 'none',
      enabled: () => this.finished,
      perform: () => undefined,
    })
  }
}
