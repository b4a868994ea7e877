import { freeRunning } from '@mmu-notifier/kernel'

/** What decides something other than the scheduler, by its place among the globals. */
const SOURCES: readonly (readonly [path: string, owner: () => object, name: string])[] = [
  ['Math.random', () => Math, 'random'],
  ['Date.now', () => Date, 'now'],
  ...['setTimeout', 'setInterval', 'setImmediate'].map((name) => [name, () => globalThis, name] as const),
]

type Call = (...args: unknown[]) => unknown

/** Who is to be told. */
export interface Watched {
  /** A task asked `what`, and not the scheduler. */
  strayed(what: string): void
  /** A task starts an operation of a kernel that runs freely. */
  escaped(what: string): void
}

let watched: Watched | undefined

/** What is asked from here on, under a {@link guard}, is asked by a task of `execution`. @returns the one before */
export function watch(execution: Watched | undefined): Watched | undefined {
  const before = watched
  watched = execution
  return before
}

/**
 * While it is set, a call of `Math.random`, of the clock or of a timer, and an operation of a kernel that runs freely, is told to the execution that is watched, and then goes where it would have gone.
 * @returns the function that takes it away
 */
export function guard(): () => void {
  const undo: (() => void)[] = []
  for (const [path, owner, name] of SOURCES) {
    const object = owner() as Record<string, Call | undefined>
    const original = object[name]
    if (!original) continue
    const trap = function (this: unknown, ...args: unknown[]): unknown {
      watched?.strayed(path)
      return original.apply(this, args)
    }
    object[name] = trap
    undo.push(() => {
      if (object[name] === trap) object[name] = original
    })
  }
  const { told: before } = freeRunning
  const told = (what: string): void => watched?.escaped(what)
  freeRunning.told = told
  undo.push(() => {
    if (freeRunning.told === told) freeRunning.told = before
  })
  const global = globalThis as { Date: DateConstructor }
  const original = global.Date
  const trap = new Proxy(original, {
    construct(target, args: unknown[], newTarget) {
      if (args.length === 0) watched?.strayed('new Date()')
      return Reflect.construct(target, args, newTarget) as object
    },
  })
  global.Date = trap
  undo.push(() => {
    if (global.Date === trap) global.Date = original
  })
  return () => {
    for (const step of undo) step()
  }
}
