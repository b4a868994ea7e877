import type { LockOrder, Operation, Target, Task } from '@mmu-notifier/kernel'
import type { Choice, Director } from './director.ts'
import type { ExploredTask } from './explored-task.ts'
import type { Identities } from './identities.ts'
import type { RaceCheck } from './races.ts'
import type { Recorder } from './recorder.ts'
import type { Turn } from './turn.ts'

/** What an execution is given. */
export interface ExecutionParts {
  readonly director: Director
  readonly turn: Turn
  /** The choices that are made, by step; beyond the execution's steps, what others chose. */
  readonly made: Choice[]
  /** Choices to be made before the director is asked. */
  readonly choices: readonly Choice[]
  /** Keeps the events. Without it, what needs them ends the execution, see `Execution.needs`. */
  readonly recorder: Recorder | undefined
  /** Orders plain accesses. Without it, the first one ends the execution. */
  readonly races: RaceCheck | undefined
  readonly taskIds: Identities
  readonly lockOrder: LockOrder | false
  readonly maxSteps: number
  /** Watches every start of an operation; throws what is wrong with it. */
  readonly witness: Witness | undefined
  /** What a task starts is performed only when whatever it does without awaiting that is done: so a forgotten `await` is seen. Costs time, on promises. */
  readonly patient: boolean
}

/** Looks on where an operation starts. */
export interface Witness {
  /** Runs the body of a task. */
  enter<T>(task: Task, body: () => T): T
  /** The code that runs now starts an operation in the name of `task`. @returns what is wrong with that */
  starts(task: Task, operation: Operation, target: Target): string | undefined
  /** Places in the source, as `file:line`: the one that runs now, */
  here?(): string | undefined
  /** where the operation was started that `task` waits with, */
  started?(task: ExploredTask): string | undefined
  /** and where the running task awaits what is no operation. @param generator the compiled function that does, if it is one */
  awaited?(generator: object | undefined): string | undefined
  /** The code that runs now accesses an object plainly, in the name of the task. */
  accesses?(task: number, object: number, write: boolean): void
  /** Where it did so last. */
  accessed?(task: number, object: number, write: boolean): string | undefined
  /** What the operation means that `task` has started last. */
  note?(task: Task, text: string): void
}
