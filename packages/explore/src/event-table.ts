import { objectOf, type Operation, type Target } from '@mmu-notifier/kernel'
import type { Event } from './event.ts'
import { indexOf, type ExploredTask } from './explored-task.ts'
import type { Footprint } from './footprint.ts'

interface Entry {
  readonly event: Event
  readonly operation: Operation
  /** Undefined where the event does not depend on it. */
  readonly argument: unknown
  /** Of the target. */
  readonly name: string
}

/** How many are kept for one step of a task. What an event holds may be new in each execution, so there is no end to those that differ. */
const VARIANTS = 32

/**
 * Makes events, each once: what is performed again, in another execution, is the same object. So plans, which outlive their execution, share their events. Nothing
 * depends on it, and an event that was not met for a while is made anew.
 */
export class EventTable {
  readonly #trylockWrites: boolean
  /** By task and index; the last one that was made first in each. */
  readonly #entries: Entry[][][] = []

  /** @param trylockWrites see `EngineOptions.trylockWrites` */
  constructor(trylockWrites: boolean) {
    this.#trylockWrites = trylockWrites
  }

  changesOf(operation: Operation): Operation['changes'] {
    return this.#trylockWrites && operation.kind === 'trylock' ? undefined : operation.changes
  }

  /** What `task` does with `operation`, when it touches `footprint` and could not have come before `after`. */
  of(task: ExploredTask, operation: Operation, target: Target, way: number, ways: number, footprint: Footprint, after: readonly Event[]): Event {
    const index = indexOf(task)
    const entries = ((this.#entries[task.id - 1] ??= [])[index] ??= [])
    const changes = this.changesOf(operation)
    const { possible } = operation
    const argument = changes || possible ? task.a : undefined
    for (const entry of entries) {
      const { event } = entry
      if (entry.operation !== operation || event.way !== way || event.ways !== ways || !footprint.isOf(event) || !Object.is(entry.argument, argument)) continue
      if (entry.name === target.name && isSame(event.after, after)) return event
    }
    const touched = footprint.take()
    const event: Event = {
      task: task.id - 1,
      index,
      kind: operation.kind,
      name: objectOf(operation, target),
      way,
      ways,
      ...touched,
      changes: changes && ((state) => changes(state, argument)),
      possible: possible && ((state) => possible(state, argument)),
      after,
      fleeting: isObject(argument) || touched.before.some(isObject),
    }
    entries.unshift({ event, operation, argument, name: target.name })
    if (entries.length > VARIANTS) entries.pop()
    return event
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function isSame(a: readonly Event[], b: readonly Event[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i]?.task !== b[i]?.task || a[i]?.index !== b[i]?.index) return false
  return true
}
