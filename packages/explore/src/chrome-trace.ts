import type { Counterexample } from './counterexample.ts'

/** One event in the Trace Event Format, as Perfetto and `chrome://tracing` open it. Times are microseconds. */
export interface ChromeTraceEvent {
  readonly name: string
  /** A slice, a name, an instant, the beginning and the end of what goes on beside the slices. */
  readonly ph: 'X' | 'M' | 'i' | 'b' | 'e'
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly cat?: string
  readonly id?: number
  /** Of an instant: over the whole process. */
  readonly s?: 'p'
  readonly args?: Readonly<Record<string, unknown>>
}

/** There is no time in an execution, only an order: a step takes so long. */
const STEP = 10

/** A failing execution as Trace Event JSON: a track for each task, a slice for each step, a span for each lock while it is held, and an instant where it fails. */
export function chromeTrace({ steps, code, message, token }: Counterexample): { readonly traceEvents: readonly ChromeTraceEvent[] } {
  const names = [...new Set(steps.map(({ task }) => task))]
  const common = { pid: 1, ts: 0 }
  const events: ChromeTraceEvent[] = names.map((name, tid) => ({ ...common, name: 'thread_name', ph: 'M', tid, args: { name } }))
  const held = new Map<string, ChromeTraceEvent>()
  const end = ((steps.at(-1)?.step ?? 0) + 1) * STEP
  let spans = 0
  for (const { task, step, kind, object, site, switched, holds } of steps) {
    const tid = names.indexOf(task)
    const ts = step * STEP
    events.push({ ...common, name: `${kind} ${object}`, cat: kind, ph: 'X', tid, ts, dur: STEP - 1, args: { step, switched, ...(site !== undefined && { site }) } })
    const now = new Set(holds.map((lock) => `${lock} held by ${task}`))
    for (const name of now) {
      if (held.has(name)) continue
      const begin: ChromeTraceEvent = { ...common, name, cat: 'lock', ph: 'b', id: ++spans, tid, ts }
      held.set(name, begin)
      events.push(begin)
    }
    for (const [name, begin] of held) {
      if (begin.tid !== tid || now.has(name)) continue
      held.delete(name)
      events.push({ ...begin, ph: 'e', ts: ts + STEP - 1 })
    }
  }
  for (const begin of held.values()) events.push({ ...begin, ph: 'e', ts: end })
  events.push({ ...common, name: code, ph: 'i', s: 'p', tid: 0, ts: end, args: { message, replay: token } })
  return { traceEvents: events }
}
