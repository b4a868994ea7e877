import { moduleUrl } from '@mmu-notifier/kernel'

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

/** Where these modules are, and those of the kernel. In a bundle there is no telling. */
const OWN = [(import.meta as { readonly url?: string }).url ?? '', moduleUrl].map((url) => decoded(url.replace(/^file:\/\//, '').replace(/[^/]*$/, ''))).filter((folder) => /\/(src|dist)\/$/.test(folder))
/** Below these calls is whoever explores. */
const OUTSIDE = /[.# ](?:runTasks|#frames|#promises) \(/

/** The first place in a stack that is the explored program's: not this package's, nor the kernel's. As `file:line`. */
export function siteIn(stack: string): string | undefined {
  for (const line of stack.split('\n').slice(1)) {
    if (OUTSIDE.test(line)) return undefined
    const place = decoded(line).replaceAll('\\', '/')
    if (place.includes('node:') || OWN.some((folder) => place.includes(folder))) continue
    const [, file, number] = /([^/(]+):(\d+):\d+\)?$/.exec(place) ?? []
    if (file !== undefined && number !== undefined) return `${file.replace(/^\s*at (async )?/, '').split('?')[0] ?? file}:${number}`
  }
  return undefined
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
