import type { ExploredTask } from './explored-task.ts'

export const RUNNING = 0
export const DONE = 1
export const FAILED = 2

/** A call of a compiled async function, in place of its promise: what its caller awaits. */
export class Frame {
  readonly generator: Generator<unknown, unknown>
  /** The task in whose name it was called. */
  readonly task: ExploredTask
  /** Who awaits it. */
  parent: Frame | undefined = undefined
  state: typeof RUNNING | typeof DONE | typeof FAILED = RUNNING
  /** What came of it. */
  value: unknown = undefined
  /** The generator is done, and returned something that it takes time to wait for. */
  returning = false
  /** It runs, or has failed and nobody was told: see `ExploredTask.open`. */
  open = true

  constructor(generator: Generator<unknown, unknown>, task: ExploredTask) {
    this.generator = generator
    this.task = task
    task.open++
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.task.open--
  }

  /** Whoever asks for it is not compiled, and would go on when no scheduler said so. */
  then(): never {
    throw new TypeError('what is not compiled awaits a compiled function of an explored task')
  }
}

/** Of a call that failed before it began. */
export const NOTHING: Generator<unknown, undefined> = (function* (): Generator<unknown, undefined> {
  yield undefined
})()

type Resume = (this: Generator<unknown, unknown>, value: unknown) => IteratorResult<unknown, unknown>

const GENERATORS = Object.getPrototypeOf(Object.getPrototypeOf(NOTHING)) as { readonly next: Resume; readonly throw: Resume }

/** Each compiled function has generators of a class of its own, so looking for their `next` would be the dearest part of a step. */
export const NEXT: Resume = GENERATORS.next
export const THROW: Resume = GENERATORS.throw
