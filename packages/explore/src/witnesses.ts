import { objectOf, type Operation, type Target, type Task } from '@mmu-notifier/kernel'
import type { Witness } from './execution-parts.ts'
import type { ExploredTask } from './explored-task.ts'
import { siteOfGenerator } from './generator-site.ts'
import { asyncHooks, type Storage } from './platform.ts'
import { siteHere } from './sites.ts'

/**
 * Notices a helper that was not awaited and starts an operation when another task runs: in whose asynchronous context code runs is known to Node (>= 20.16) only, and costs time,
 * so it looks at some executions.
 */
export class ContextWitness implements Witness {
  readonly #storage: Storage | undefined

  constructor() {
    const hooks = asyncHooks()
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

/** Of the promises made last, one is where a task awaits; the others are made by the kernel and this package. */
const RECENT = 16

/** Where in the source operations were started and promises awaited: costs microseconds for each, so it is for replays. */
export class SiteWitness implements Witness {
  /** By task and index of the event. */
  readonly sites: Map<string, () => string | undefined> = new Map<string, () => string | undefined>()
  /** What operations mean, by the same keys. */
  readonly notes: Map<string, string> = new Map<string, string>()
  /** By task, object and whether it was a write: where the last plain access was. */
  readonly #accesses = new Map<string, () => string | undefined>()
  /** By task: its operation that was started last. */
  readonly #started = new Map<number, string>()
  readonly #hooks = asyncHooks()
  /** Tells promises of what is watched from those that others make until a stall is noticed: a test runner, timers of the program. */
  readonly #storage = this.#hooks && new this.#hooks.AsyncLocalStorage()
  /** Where the last promises were made, the newest last. */
  #promises: (() => string | undefined)[] = []
  readonly #hook = this.#hooks?.createHook({
    // A native await makes a promise of its own, where it stands.
    init: (_id, type) => {
      if (type !== 'PROMISE' || this.#storage?.getStore() !== this) return
      this.#promises.push(siteHere())
      if (this.#promises.length > 2 * RECENT) this.#promises = this.#promises.slice(-RECENT)
    },
  })

  /** Runs executions that have this witness. */
  async watch<T>(body: () => Promise<T>): Promise<T> {
    this.#hook?.enable()
    try {
      return await (this.#storage ? this.#storage.run(this, body) : body())
    } finally {
      this.#hook?.disable()
      this.#storage?.disable()
    }
  }

  enter<T>(_task: Task, body: () => T): T {
    return body()
  }

  starts(task: Task): undefined {
    const key = keyOf(task as ExploredTask)
    this.#started.set(task.id, key)
    this.sites.set(key, siteHere())
    return undefined
  }

  accesses(task: number, object: number, write: boolean): void {
    this.#accesses.set(`${task} ${object} ${write}`, siteHere())
  }

  accessed(task: number, object: number, write: boolean): string | undefined {
    return this.#accesses.get(`${task} ${object} ${write}`)?.()
  }

  note(task: Task, text: string): void {
    const key = this.#started.get(task.id)
    if (key !== undefined) this.notes.set(key, text)
  }

  here(): string | undefined {
    return siteHere()()
  }

  started(task: ExploredTask): string | undefined {
    return this.sites.get(keyOf(task))?.()
  }

  awaited(generator: object | undefined): string | undefined {
    if (generator) return siteOfGenerator(generator)
    for (const promise of this.#promises.toReversed()) {
      const site = promise()
      if (site !== undefined) return site
    }
    return undefined
  }
}

/** Of the operation that the task performs next. */
function keyOf({ id, lastEvent }: ExploredTask): string {
  return `${id - 1}.${lastEvent ? lastEvent.index + 1 : 0}`
}
