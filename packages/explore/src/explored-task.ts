import { TaskRecord, type Scheduler } from '@mmu-notifier/kernel'
import type { Event } from './event.ts'
import type { Frame } from './frame.ts'

/** A task of one execution. */
export class ExploredTask extends TaskRecord {
  readonly body: () => Promise<void>
  /** What the spawning task did last before, or, when it had done nothing itself, the one that had spawned it. */
  readonly spawnedAfter: Event | undefined
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
  /** Settle what the task awaits: of the promise engine. */
  resolve: ((value: unknown) => void) | undefined
  reject: ((error: unknown) => void) | undefined
  /** The innermost compiled function, which awaits the operation: of the generator engine. */
  frame: Frame | undefined
  /** The compiled function that is its body. */
  root: Frame | undefined
  /** Compiled functions that were called and have not ended, or have failed and nobody was told. */
  open = 0

  constructor(id: number, name: string, body: () => Promise<void>, spawnedAfter: Event | undefined, scheduler: Scheduler) {
    super(id, name, scheduler)
    this.body = body
    this.spawnedAfter = spawnedAfter
  }

  override joined(): void {
    // What a task throws ends the execution.
  }
}

/** The index of what the task does next. */
export function indexOf({ lastEvent }: ExploredTask): number {
  return lastEvent ? lastEvent.index + 1 : 0
}
