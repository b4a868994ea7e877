/** The runtime of sequential code, see `sequential.ts`: it awaits `value`, and goes on with it at once. @throws TypeError for a promise: it cannot wait */
export function done<T>(value: T): T {
  if (!(value instanceof Promise)) return value
  value.catch(() => undefined)
  throw new TypeError('sequential code cannot wait: it awaits a promise, of a kernel in which something else has to happen first or of what is not compiled')
}
