import type { OperationKind } from '@mmu-notifier/kernel'
import { COMMUTE, MODE, relation } from './access.ts'

/** In place of a way: every one that there is, however many. */
export const ANY = -1

/**
 * One performed operation. What it did does not depend on the order of events that commute, so an event recorded in one execution
 * stands for the same one in every execution that begins with an equivalent prefix.
 */
export interface Event {
  /** The task that performed it; tasks are numbered from 0, in every execution alike. */
  readonly task: number
  /** Its place among the events of its task, from 0. */
  readonly index: number
  readonly kind: OperationKind
  /** For reports. */
  readonly name: string
  /** Which of the ways to perform it was taken, see `Operation.ways`; or {@link ANY}, of one that is to be performed. */
  readonly way: number
  /** How many ways there were; 0 for an operation that has no `ways`. */
  readonly ways: number
  /** What it touched: objects, numbered alike in every execution, each once. The operation's own target first. */
  readonly objects: readonly number[]
  /** How, by position in `objects`. */
  readonly modes: readonly number[]
  /** The state of each object before it; for a `relax`, which of the task's events first looked at the object in the turn that it ends. */
  readonly before: readonly unknown[]
  /** See `Operation.changes`; of `objects[0]`. */
  readonly changes: ((state: unknown) => boolean) | undefined
  /** See `Operation.possible`; of `objects[0]`. */
  readonly possible: ((state: unknown) => boolean) | undefined
  /** What woke, started or was joined by it: it could not have come before these. */
  readonly after: readonly Event[]
  /** It holds what is another object in each execution: to be compared with what the same execution holds only. */
  readonly fleeting: boolean
}

/** True when `later` depends on `earlier`, by program order, a conflict or a wait. The relation is not transitive. */
export function depends(earlier: Event, later: Event): boolean {
  return earlier.task === later.task || enables(earlier, later) || conflict(earlier, later)
}

/** By name, since the two may have been recorded in different executions. */
function enables({ task, index }: Event, { after }: Event): boolean {
  for (const event of after) if (event.task === task && event.index === index) return true
  return false
}

/** True when two events of different tasks, neither of which enables the other, do not commute. */
export function conflict(earlier: Event, later: Event): boolean {
  const { objects, modes } = earlier
  for (let i = 0; i < objects.length; i++) {
    const j = later.objects.indexOf(objects[i] as number)
    if (j >= 0 && relation(modes[i] as number, later.modes[j] as number) !== COMMUTE) return true
  }
  return false
}

/** As {@link conflict}, for two events of which neither is known to come first. */
export function dependent(a: Event, b: Event): boolean {
  return conflict(a, b) || conflict(b, a)
}

/**
 * `event` as it would be where `before` was performed, before `before`: an update that failed may succeed there, and the other way round. Its
 * other objects are taken as they were. If there are ways to perform it, there may be more or fewer of them there, and all are meant.
 */
export function predict(event: Event, before: Event): Event {
  const usual = event.ways === 0 ? event : { ...event, way: ANY }
  const [object] = event.objects
  if (!event.changes || object === undefined) return usual
  const at = before.objects.indexOf(object)
  if (at < 0) return usual
  const mode = event.changes(before.before[at]) ? MODE.write : MODE.read
  return mode === event.modes[0] ? usual : { ...usual, modes: [mode, ...event.modes.slice(1)] }
}
