import type { OperationKind } from '@mmu-notifier/kernel'
import type { Event } from './event.ts'
import type { Failure } from './failure.ts'
import type { Deviation } from './schedule.ts'
import type { Trace } from './trace.ts'

/** One operation of a failing execution. */
export interface Step {
  /** Its place in the whole execution, from 0. */
  readonly step: number
  readonly task: string
  readonly kind: OperationKind
  /** What it acts on. */
  readonly object: string
  /** What it means, where the code says so with `kernel.note`: shown in place of the two. */
  readonly note?: string | undefined
  /** The default would have let another task go on: one of the switches that the failure needs. */
  readonly switched: boolean
  /** `file:line` of the call. */
  readonly site: string | undefined
  /** The lock classes that the task holds afterwards. */
  readonly holds: readonly string[]
}

/** A failing execution, minimised: what the report prints, as data. */
export interface Counterexample {
  readonly code: string
  readonly message: string
  readonly task: string | undefined
  /** `file:line` of what is wrong, where that is one place and known. */
  readonly site?: string | undefined
  /** Of a race: where the other, plain, access was. */
  readonly otherSite?: string | undefined
  /** Paste it into `replay`. */
  readonly token: string
  readonly deviations: readonly Deviation[]
  /** What happened before the failure, in the sense of happens-before: steps that had no part in it are left out. */
  readonly steps: readonly Step[]
  /** What was thrown, when something was. */
  readonly error: unknown
}

export interface Evidence {
  readonly trace: Trace
  readonly taskNames: readonly string[]
  readonly failure: Failure
  readonly deviations: readonly Deviation[]
  /** By task and index of the event; asked for the steps that somebody looks at. */
  readonly sites: ReadonlyMap<string, () => string | undefined>
  /** Likewise: what the events mean. */
  readonly notes: ReadonlyMap<string, string>
}

/** The steps that a reader has to see. */
export function stepsOf({ trace, taskNames, failure, deviations, sites, notes }: Evidence): Step[] {
  const switched = new Set(deviations.map(({ step }) => step))
  const held = new Map<number, string[]>()
  const steps: Step[] = []
  const past = pastOf(trace, taskNames, failure)
  trace.events.forEach((event, step) => {
    const { task, index, kind, name } = event
    const object = event.ways > 1 ? `${name}${woken(trace, taskNames, event)}` : name
    const locks = held.get(task) ?? []
    const lockClass = object.replace(/ \(read\)$/, '')
    if (kind === 'lock' || (kind === 'trylock' && event.modes[0] === 1)) held.set(task, [...locks, lockClass])
    else if (kind === 'unlock') held.set(task, locks.filter((_, i) => i !== locks.lastIndexOf(lockClass)))
    if (!past(step)) return
    const key = `${task}.${index}`
    const [site, note] = [sites.get(key), notes.get(key)]
    steps.push({ step, task: taskNames[task] ?? '?', kind, object, ...(note !== undefined && { note }), switched: switched.has(step), get site() { return site?.() }, holds: held.get(task) ?? [] })
  })
  return steps
}

/** Whom a step that could have gone in several ways woke, if he has gone on. */
function woken({ events }: Trace, taskNames: readonly string[], event: Event): string {
  const next = events.find(({ after }) => after.includes(event))
  return next ? `: ${taskNames[next.task] ?? '?'}` : ''
}

/** Which steps happened before the failure. A failure that is the fault of one task alone has that task's past; others concern all. */
function pastOf(trace: Trace, taskNames: readonly string[], { code, task }: Failure): (step: number) => boolean {
  const all = task === undefined || ['DEADLOCK', 'LIVELOCK', 'LOST_WAKEUP', 'RACE', 'UAF', 'LOCKDEP'].includes(code)
  const last = all ? -1 : trace.lastOf(taskNames.indexOf(task))
  return last < 0 ? () => true : (step) => step === last || trace.happensBefore(step, last)
}

/** Of a report with more lines than this, and of that of a loop that does not end, only the first and last are shown. */
const MOST = 200
const FIRST = 40
const LAST = 10

/** One column for each task, time going down; `>` marks a switch that the failure needs. */
export function formatCounterexample(example: Counterexample, found: string): string {
  const { code, steps, message, site, otherSite, token, deviations } = example
  const places = [site, otherSite].filter((place) => place !== undefined)
  const names = [...new Set(steps.map(({ task }) => task))]
  const cut = steps.length > (code === 'LIVELOCK' ? FIRST + LAST : MOST)
  const shown = (cut ? [...steps.slice(0, FIRST), ...steps.slice(-LAST)] : steps).map((step) => ({ ...step, text: `${step.note ?? `${step.kind} ${step.object}`}${holding(step)}` }))
  const widths = names.map((name) => Math.max(name.length, ...shown.filter(({ task }) => task === name).map(({ text }) => text.length)) + 3)
  const line = (mark: string, cells: readonly string[], tail = ''): string =>
    `${mark} ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('')}${tail}`.trimEnd()
  const rows = shown.map(({ task, text, switched, site }) => line(switched ? ' >' : '  ', names.map((name) => (name === task ? text : '')), site))
  if (cut) rows.splice(FIRST, 0, `   … ${steps.length - FIRST - LAST} more steps …`)
  const switches = `${deviations.length} ${deviations.length === 1 ? 'switch' : 'switches'}`
  return [message, ...(places.length === 0 ? [] : [`at ${places.join(' and ')}`]), `found by ${found}, minimised to ${switches}`, `replay: ${token}`, '', line('  ', names), ...rows].join('\n')
}

function holding({ kind, holds }: Step): string {
  return holds.length > 0 && kind !== 'lock' && kind !== 'trylock' && kind !== 'unlock' ? `  [${holds.join(', ')}]` : ''
}
