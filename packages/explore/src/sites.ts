/** The frames between a call and its operation are many: those of the kernel, and of the generators. */
const DEPTH = 60

/** The place in the source that runs now, as `file:line`. To keep it costs microseconds; to read it, with source maps, may cost a thousand times that. */
export function siteHere(): () => string | undefined {
  const errors = Error as { stackTraceLimit?: number } // V8's
  const { stackTraceLimit: limit } = errors
  errors.stackTraceLimit = DEPTH
  const error = new Error()
  if (limit === undefined) delete errors.stackTraceLimit
  else errors.stackTraceLimit = limit
  return () => siteIn(error.stack ?? '')
}

/** The first place in a stack that is not this package's or the kernel's, as `file:line`. */
export function siteIn(stack: string): string | undefined {
  for (const line of stack.split('\n').slice(1)) {
    if (line.includes('node:') || /[\\/](kernel|explore)[\\/](src|dist)[\\/]/.test(line) || !/:\d+:\d+\)?$/.test(line)) continue
    const [, file, number] = /([^\\/(\s]+):(\d+):\d+\)?$/.exec(line) ?? []
    if (file !== undefined && number !== undefined) return `${file.split('?')[0] ?? file}:${number}`
  }
  return undefined
}
