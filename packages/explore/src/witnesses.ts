import { objectOf, type Operation, type Target, type Task } from '@mmu-notifier/kernel'
import type { Witness } from './execution.ts'
import type { ExploredTask } from './explored-task.ts'

interface Storage {
  run<T>(store: unknown, body: () => T): T
  getStore(): unknown
  disable(): void
}

interface Platform {
  process?: { getBuiltinModule?(name: string): { AsyncLocalStorage: new () => Storage } | undefined }
}

/**
 * Notices a helper that was not awaited and starts an operation when another task runs: in whose asynchronous context code runs is known to Node (>= 20.16) only, and costs time,
 * so it looks at some executions.
 */
export class ContextWitness implements Witness {
  readonly #storage: Storage | undefined

  constructor() {
    const hooks = (globalThis as Platform).process?.getBuiltinModule?.('node:async_hooks')
    this.#storage = hooks && new hooks.AsyncLocalStorage()
  }

  enter<T>(task: Task, body: () => T): T {
    return this.#storage ? this.#storage.run(task, body) : body()
  }

  starts(task: Task, operation: Operation, target: Target): string | undefined {
    const owner = this.#storage?.getStore() as Task | undefined
    if (!owner || owner === task) return undefined
    return `a helper of task ${owner.name} starts ${operation.kind} ${objectOf(operation, target)} while task ${task.name} runs: a promise was not awaited`
  }

  /** The runtime need not follow contexts any more. */
  rest(): void {
    this.#storage?.disable()
  }
}

/** Where in the source an operation was started: costs microseconds for each, so it is for replays. */
export class SiteWitness implements Witness {
  /** By task and index of the event. */
  readonly sites: Map<string, string> = new Map<string, string>()

  enter<T>(_task: Task, body: () => T): T {
    return body()
  }

  starts(task: Task): undefined {
    const { id, lastEvent } = task as ExploredTask
    const site = siteOf(deepStack())
    if (site !== undefined) this.sites.set(`${id - 1}.${lastEvent ? lastEvent.index + 1 : 0}`, site)
    return undefined
  }
}

/** The frames between a call and its operation are many: those of the kernel, and of the generators. */
const DEPTH = 60

function deepStack(): string {
  const errors = Error as { stackTraceLimit?: number } // V8's
  const { stackTraceLimit: limit } = errors
  errors.stackTraceLimit = DEPTH
  const { stack } = new Error()
  if (limit === undefined) delete errors.stackTraceLimit
  else errors.stackTraceLimit = limit
  return stack ?? ''
}

/** The first place in a stack that is not this package's or the kernel's, as `file:line`. */
function siteOf(stack: string): string | undefined {
  for (const line of stack.split('\n').slice(1)) {
    if (line.includes('node:') || /[\\/](kernel|explore)[\\/](src|dist)[\\/]/.test(line) || !/:\d+:\d+\)?$/.test(line)) continue
    const [, file, number] = /([^\\/(\s]+):(\d+):\d+\)?$/.exec(line) ?? []
    if (file !== undefined && number !== undefined) return `${file.split('?')[0] ?? file}:${number}`
  }
  return undefined
}
