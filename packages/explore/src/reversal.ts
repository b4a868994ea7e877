import { MODE } from './access.ts'
import { depends, type Event } from './event.ts'
import type { Trace } from './trace.ts'
import { item } from './item.ts'

/** How {@link reversal} foresees an event in a state in which it was not performed. */
export type Prediction = (event: Event, before: Event) => Event

export interface Reversal {
  /** The position from which `sequence` is to be explored. */
  readonly at: number
  readonly sequence: Event[]
}

/**
 * A way to have `later` before the event at `earlier`, with which it races: the events that follow there, but those that happened after it, and then `later`.
 * The paper's `notdep(e, E).e'`. Where others hold the lock before `earlier` and only give it back after it, `later` has to come before them, too.
 * @param later an event of the trace, or one that waits to its end
 * @param end how many events of the trace to look at
 * @returns undefined when `later` could not come before `earlier`
 */
export function reversal(trace: Trace, earlier: number, later: Event, end: number, predict: Prediction): Reversal | undefined {
  const sequence: Event[] = []
  for (let position = earlier + 1; position < end; position++) {
    const event = item(trace.events, position)
    if (event !== later && !trace.happensBefore(earlier, position)) sequence.push(event)
  }
  if (later.modes[0] === MODE.acquire) {
    const holder = expelHolders(trace, earlier, later, sequence)
    if (holder >= 0) return needs(trace, later, holder) ? undefined : reversal(trace, holder, later, end, predict)
  }
  sequence.push(predict(later, item(trace.events, earlier)))
  return { at: earlier, sequence }
}

/** True when `later` could not come before the event at `position`: it belongs to its own task's past, or to what enabled it. */
function needs(trace: Trace, later: Event, position: number): boolean {
  const before = later.index > 0 ? [trace.nth(later.task, later.index - 1)] : []
  return [...before, ...later.after.map((event) => trace.positionOf(event))].some((needed) => trace.happensBefore(position, needed))
}

/**
 * Takes out of `sequence` those who come to hold the lock that `later` takes for write, and what depends on them.
 * @returns the position of the last acquisition that cannot be taken out, because it comes before `earlier` or `later` needs it; or -1
 */
function expelHolders(trace: Trace, earlier: number, later: Event, sequence: Event[]): number {
  const [lock] = later.objects as [number]
  const holders = new Map<number, Event>()
  const follow = (event: Event): void => {
    const mode = event.modes[event.objects.indexOf(lock)]
    // A section has given back the lock when it is over, and a downgrade keeps it. A write is a trylock; it fails where somebody has the lock.
    if (mode === MODE.acquireShared || (mode === MODE.acquire && event.kind !== 'section') || (mode === MODE.write && holders.size === 0)) holders.set(event.task, event)
    else if (mode === MODE.releaseShared || mode === MODE.release) holders.delete(event.task)
  }
  for (const position of trace.historyOf(lock)) if (position < earlier) follow(item(trace.events, position))
  for (const event of sequence) follow(event)
  if (holders.size === 0) return -1
  const gone = [...holders.values()]
  const positions = gone.map((event) => trace.positionOf(event))
  const last = Math.max(...positions.filter((position) => position < earlier || needs(trace, later, position)))
  if (last >= 0) return last
  for (let i = 0; i < sequence.length; ) {
    const event = item(sequence, i)
    if (gone.includes(event) || gone.some((other) => depends(other, event) && trace.positionOf(other) < trace.positionOf(event))) {
      gone.push(event)
      sequence.splice(i, 1)
    } else i++
  }
  return expelHolders(trace, earlier, later, sequence)
}
