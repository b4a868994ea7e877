import type { Outcome } from './director.ts'
import { Execution } from './execution.ts'
import type { ExploredTask } from './explored-task.ts'
import { Awaitable, DONE, FAILED, Frame, NEXT, NOTHING, RUNNING, THROW } from './frame.ts'
import type { Frames, Machine, Slot } from './frames.ts'

/** What a task awaits for its operation. */
const TICKET = new Awaitable()

/**
 * Runs compiled functions (see `compile.ts`): a task is a stack of generators, suspended where the innermost awaits an operation. An execution is synchronous from its beginning
 * to its end, so nothing else can run beside it.
 */
export class FrameExecution extends Execution implements Machine {
  /** A task's body is not compiled. */
  uncompiled = false
  /** Compiled functions that were called, up to where they have to wait, and have not returned to their callers. */
  #calls = 0
  /** Who is to take the next step, when that was decided where the last task came to wait. */
  #picked: ExploredTask | undefined = undefined

  /** Runs all tasks that were spawned, and those that they spawn, to their end or to a failure. */
  runTasks(): Outcome {
    this.tasksRun()
    while (this.outcome === undefined) {
      if (this.unbegun) {
        this.beginNext()
        continue
      }
      const task = this.#picked ?? this.pick()
      this.#picked = undefined
      if (task === undefined) continue
      const value = this.take(task)
      if (this.running !== undefined) this.#resume(task, value, this.threw)
    }
    return this.outcome
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
    this.#calls++
    this.#drive(frame, undefined, false)
    this.#calls--
    return frame
  }

  awaits(value: unknown, slot: Slot): boolean {
    if (value === TICKET && this.outcome === undefined) {
      const task = this.running
      if (task?.operation === undefined) slot.value = undefined
      else if (!this.#goesOn(task, slot)) {
        slot.value = TICKET
        return false
      } else if (this.threw) throw slot.value
      return true
    }
    if (value instanceof Frame && this.outcome === undefined) return this.#ends(value, slot)
    slot.value = value
    return this.outcome === undefined && !isThenable(value)
  }

  /** The running task awaits `frame`, and goes on in it as far as it can without another task in between. @returns true when that was to its end */
  #ends(frame: Frame, slot: Slot): boolean {
    while (frame.state === RUNNING) {
      const task = this.running
      if (task?.operation === undefined || !this.#goesOn(task, slot)) {
        slot.value = frame
        return false
      }
      this.#resume(task, slot.value, this.threw)
    }
    frame.close()
    if (frame.state === FAILED) throw frame.value
    slot.value = frame.value
    return true
  }

  /**
   * The running task waits with its operation. If it is the one that takes the next step it goes on where it is, which is cheaper by far than to suspend it. Not if a
   * compiled function waits that was called and whose caller has not awaited it: the caller goes on before the step is taken.
   */
  #goesOn(task: ExploredTask, slot: Slot): boolean {
    if (this.#calls > 0 || this.#picked !== undefined || this.unbegun) return false
    while (this.outcome === undefined) {
      const next = this.pick()
      if (next !== task) {
        this.#picked = next
        return false
      }
      const value = this.take(task)
      if (this.running === undefined) continue
      slot.value = value
      return true
    }
    return false
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

  #resume(task: ExploredTask, value: unknown, threw: boolean): void {
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
          const result = failed ? THROW.call(current.generator, value) : NEXT.call(current.generator, value)
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
              value.awaitedBy(current)
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
      const { parent, others } = current
      if (!parent) return
      current.close()
      if (others) {
        for (const waiter of [parent, ...others]) this.#drive(waiter, value, failed)
        return
      }
      current = parent
    }
  }

  /** The body of a task has ended. */
  #rootEnded(root: Frame): void {
    root.close()
    this.exit(root.task, root.value, root.state === FAILED)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** Nobody is going to await it; what it throws is not to end the program. */
function ignore(promise: PromiseLike<unknown>): void {
  promise.then(undefined, () => undefined)
}
