import { refusedSleep, type HeldLock } from './lockdep.ts'
import { operation, type Operation, type OperationKind, type Scheduler, type Target } from './scheduler.ts'

/** A thread of control: one `async` body whose only awaits are marked operations. Linux: `struct task_struct`. */
export interface Task {
  /** 0 is `main`, the code that made the kernel. */
  readonly id: number
  readonly name: string
  /** True once the body has returned or thrown. */
  readonly finished: boolean
  /** The locks that the task holds now, oldest first. */
  readonly held: readonly HeldLock[]
  /** The operation that the task waits with, or undefined when it runs or has finished. */
  readonly waitsFor: Waiting | undefined
  /** Waits until the body has ended; throws what it threw. */
  join(): Promise<void>
}

/** An operation that a task has started and that was not performed yet. */
export interface Waiting {
  readonly kind: OperationKind
  /** What it acts on: a lock class, the name of a cell or queue. For reports. */
  readonly object: string
  readonly target: Target
  /** For a wait: what its predicate says now, woken or not. */
  readonly ready: boolean | undefined
}

/** What an operation on a target is called in reports, without its kind. */
export function objectOf(operation: Operation, target: Target): string {
  return operation.note === undefined ? target.name : `${target.name} ${operation.note}`
}

/** What every scheduler knows of a task. */
export abstract class TaskRecord implements Task, Target {
  id: number
  readonly name: string
  readonly held: HeldLock[] = []
  finished = false
  /** What the task waits with: an operation and what it is performed on, or undefined. */
  operation: Operation | undefined = undefined
  target: Target | undefined = undefined
  a: unknown = undefined
  b: unknown = undefined
  protected readonly scheduler: Scheduler

  constructor(id: number, name: string, scheduler: Scheduler) {
    this.id = id
    this.name = name
    this.scheduler = scheduler
  }

  get waitsFor(): Waiting | undefined {
    const { operation, target, a } = this
    if (!operation || !target) return undefined
    return { kind: operation.kind, object: objectOf(operation, target), target, ready: operation.ready?.(target, a) }
  }

  join(): Promise<void> {
    return refusedSleep(this.scheduler, 'join', this.name) ?? this.scheduler.step(JOIN, this, undefined, undefined)
  }

  /** The body has ended, and somebody joins: throws what it threw, if nobody was told yet. */
  abstract joined(): void
}

/**
 * Orders by task. Steps that commute have no order, and the numbers of tasks that tasks have spawned depend on the executions before: what is to be the same wherever an
 * execution is repeated goes by their names.
 */
export function byTask(a: { readonly task: Task }, b: { readonly task: Task }): number {
  if (a.task.name !== b.task.name) return a.task.name < b.task.name ? -1 : 1
  return a.task.id - b.task.id
}

const JOIN: Operation<TaskRecord, undefined, undefined, void> = operation({
  kind: 'join',
  access: 'none',
  enabled: (task) => task.finished,
  perform: (task) => { task.joined() },
})
