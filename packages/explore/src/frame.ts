import type { ExploredTask } from './explored-task.ts'
import { machineRuns, run, type Frames } from './frames.ts'

export const RUNNING = 0
export const DONE = 1
export const FAILED = 2

/** What compiled code awaits in place of a promise. */
export class Awaitable {
  then(onDone?: unknown, onFailed?: unknown): unknown {
    return chained(this, THEN, onDone, onFailed)
  }

  catch(onFailed?: unknown): unknown {
    return chained(this, THEN, undefined, onFailed)
  }

  finally(body?: unknown): unknown {
    return chained(this, FINALLY, body)
  }
}

/** A call of a compiled async function, in place of its promise: what its caller awaits. */
export class Frame extends Awaitable {
  readonly generator: Generator<unknown, unknown>
  /** The task in whose name it was called. */
  readonly task: ExploredTask
  /** Who awaits it, the first and the others. */
  parent: Frame | undefined = undefined
  others: Frame[] | undefined = undefined
  state: typeof RUNNING | typeof DONE | typeof FAILED = RUNNING
  /** What came of it. */
  value: unknown = undefined
  /** The generator is done, and returned something that it takes time to wait for. */
  returning = false
  /** It runs, or has failed and nobody was told: see `ExploredTask.open`. */
  open = true

  constructor(generator: Generator<unknown, unknown>, task: ExploredTask) {
    super()
    this.generator = generator
    this.task = task
    task.open++
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.task.open--
  }

  awaitedBy(frame: Frame): void {
    if (this.parent === undefined) this.parent = frame
    else (this.others ??= []).push(frame)
  }
}

/** What an operation or a call of a compiled function, `awaited`, is chained to, as a compiled function of its own. */
function chained(awaited: object, how: Frames, ...handlers: readonly unknown[]): unknown {
  if (machineRuns()) return run(how, awaited, handlers)
  // It would go on when no scheduler said so.
  throw new TypeError('what is not compiled awaits a compiled function, or an operation, of an explored task')
}

/** A promise's `then` and `catch`. */
function* THEN(this: unknown, onDone?: unknown, onFailed?: unknown): Generator<unknown, unknown> {
  let value: unknown
  try {
    value = yield this
  } catch (error) {
    if (typeof onFailed !== 'function') throw error
    return (onFailed as (error: unknown) => unknown)(error)
  }
  return typeof onDone === 'function' ? (onDone as (value: unknown) => unknown)(value) : value
}

/** A promise's `finally`. */
function* FINALLY(this: unknown, body?: unknown): Generator<unknown, unknown> {
  const last = (): unknown => (typeof body === 'function' ? (body as () => unknown)() : undefined)
  let value: unknown
  try {
    value = yield this
  } catch (error) {
    yield last()
    throw error
  }
  yield last()
  return value
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
