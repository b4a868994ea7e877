import type { Outcome } from './director.ts'
import { Execution } from './execution.ts'
import type { ExploredTask } from './explored-task.ts'
import type { Frames, Machine } from './frames.ts'

const RUNNING = 0
const DONE = 1
const FAILED = 2

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

/** What a task awaits for its operation. */
class Ticket {
  then(): never {
    throw new TypeError('an operation of an explored task is awaited in code that is not compiled, or chained with then')
  }
}

const TICKET = new Ticket()

/**
 * Runs compiled functions (see `compile.ts`): a task is a stack of generators, suspended where the innermost awaits an operation. An execution is synchronous from its beginning
 * to its end, so nothing else can run beside it.
 */
export class FrameExecution extends Execution implements Machine {
  /** A task's body is not compiled. */
  uncompiled = false

  /** Runs all tasks that were spawned, and those that they spawn, to their end or to a failure. */
  runTasks(): Outcome {
    this.tasksRun()
    for (;;) {
      if (this.outcome) return this.outcome
      this.turn()
    }
  }

  /** What setup or check returned: the value behind it, or undefined for a promise, which is not compiled. */
  unwrap<T>(result: T | Promise<T>): { readonly value: T } | undefined {
    if (!(result instanceof Frame)) {
      if (!isThenable(result)) return { value: result }
      ignore(result)
      return undefined
    }
    if (result.state === FAILED) throw result.value
    return result.state === DONE ? { value: result.value as T } : undefined
  }

  /** A compiled function is called: it runs at once, up to where it has to wait. */
  start(make: Frames, self: unknown, args: ArrayLike<unknown>): Frame {
    let generator: Generator<unknown, unknown>
    try {
      generator = Reflect.apply(make, self, args) as Generator<unknown, unknown>
    } catch (error) {
      return this.#failed(error) // the default of a parameter has thrown
    }
    const frame = new Frame(generator, this.current)
    this.#drive(frame, undefined, false)
    return frame
  }

  protected override begin(task: ExploredTask): void {
    let result: unknown
    try {
      result = task.body()
    } catch (error) {
      this.exit(task, error, true)
      return
    }
    if (result instanceof Frame) {
      task.root = result
      if (result.state !== RUNNING) this.#rootEnded(result)
    } else if (result !== TICKET) {
      if (isThenable(result)) {
        this.uncompiled = true
        this.fail(this.foreign(task))
        ignore(result)
      } else this.exit(task, undefined, false)
    }
  }

  protected override resume(task: ExploredTask, value: unknown, threw: boolean): void {
    const { frame } = task
    if (frame) {
      task.frame = undefined
      this.#drive(frame, value, threw)
    } else this.exit(task, value, threw) // the body is no function of its own: it returned the operation
  }

  protected override suspend(): Promise<unknown> {
    return TICKET as unknown as Promise<unknown>
  }

  protected override settled(value: unknown, threw: boolean): Promise<unknown> {
    return (threw ? this.#failed(value) : value) as Promise<unknown>
  }

  protected override ended(): void {
    // The loop of runTasks sees it.
  }

  #failed(error: unknown): Frame {
    const frame = new Frame(NOTHING, this.current)
    frame.state = FAILED
    frame.value = error
    return frame
  }

  /** Lets `frame` go on with what it awaited, and then, as long as they end, those that await it. */
  #drive(frame: Frame, given: unknown, threw: boolean): void {
    let current: Frame = frame
    let value = given
    let failed = threw
    for (;;) {
      let done: boolean | undefined = true
      if (!current.returning) {
        try {
          const result = failed ? current.generator.throw(value) : current.generator.next(value)
          failed = false
          done = result.done
          value = result.value
        } catch (error) {
          failed = true
          value = error
        }
        if (this.outcome) return
        if (!failed && typeof value === 'object' && value !== null) {
          current.returning = done === true
          if (value === TICKET) {
            if (current.task.operation) {
              current.task.frame = current
              return
            }
            value = undefined
          } else if (value instanceof Frame) {
            if (value.state === RUNNING) {
              value.parent = current
              return
            }
            value.close()
            failed = value.state === FAILED
            value = value.value
          } else if (isThenable(value)) {
            this.fail(this.foreign(current.task, current.generator))
            ignore(value)
            return
          }
        }
      }
      if (!done) continue
      current.state = failed ? FAILED : DONE
      current.value = value
      if (!failed) current.close()
      if (current === current.task.root) {
        this.#rootEnded(current)
        return
      }
      const { parent } = current
      if (!parent) return
      current.close()
      current = parent
    }
  }

  /** The body of a task has ended. */
  #rootEnded(root: Frame): void {
    root.close()
    this.exit(root.task, root.value, root.state === FAILED)
  }
}

/** Of a call that failed before it began. */
const NOTHING = (function* (): Generator<unknown, undefined> {
  yield undefined
})()

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** Nobody is going to await it; what it throws is not to end the program. */
function ignore(promise: PromiseLike<unknown>): void {
  promise.then(undefined, () => undefined)
}
