/** What decides something other than the scheduler, by its place among the globals. */
const SOURCES: readonly (readonly [path: string, owner: () => object, name: string])[] = [
  ['Math.random', () => Math, 'random'],
  ['Date.now', () => Date, 'now'],
  ...['setTimeout', 'setInterval', 'setImmediate'].map((name) => [name, () => globalThis, name] as const),
]

type Call = (...args: unknown[]) => unknown

/**
 * While it is set, a call of `Math.random`, of the clock or of a timer is told to `report`, and then goes where it would have gone.
 * @returns the function that takes it away
 */
export function guard(report: (what: string) => void): () => void {
  const undo: (() => void)[] = []
  for (const [path, owner, name] of SOURCES) {
    const object = owner() as Record<string, Call | undefined>
    const original = object[name]
    if (!original) continue
    object[name] = function (this: unknown, ...args: unknown[]): unknown {
      report(path)
      return original.apply(this, args)
    }
    undo.push(() => { object[name] = original })
  }
  const global = globalThis as { Date: DateConstructor }
  const original = global.Date
  global.Date = new Proxy(original, {
    construct(target, args: unknown[], newTarget) {
      if (args.length === 0) report('new Date()')
      return Reflect.construct(target, args, newTarget) as object
    },
  })
  undo.push(() => { global.Date = original })
  return () => {
    for (const step of undo) step()
  }
}
