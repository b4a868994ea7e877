import { MODE } from './access.ts'
import { depends, type Event } from './event.ts'
import type { Trace } from './trace.ts'
import { item } from './item.ts'

/** How {@link reversal} foresees an event in a state in which it was not performed. */
export type Prediction = (event: Event, before: Event) => Event

/**
 * A way to have `later` before the event at `earlier`, with which it races: the events that follow there, but those that happened after it, and then `later`.
 * The paper's `notdep(e, E).e'`.
 * @param later an event of the trace, or one that waits to its end
 * @param end how many events of the trace to look at
 * @returns undefined when `later` could not be performed there: another reader holds the lock
 */
export function reversal(trace: Trace, earlier: number, later: Event, end: number, predict: Prediction): Event[] | undefined {
  const sequence: Event[] = []
  for (let position = earlier + 1; position < end; position++) {
    const event = item(trace.events, position)
    if (event !== later && !trace.happensBefore(earlier, position)) sequence.push(event)
  }
  if (later.modes[0] === MODE.acquire && !expelReaders(trace, earlier, later, sequence)) return undefined
  sequence.push(predict(later, item(trace.events, earlier)))
  return sequence
}

/** Takes out of `sequence` those who come to hold the lock that `later` takes for write, and what depends on them. @returns false when one holds it before */
function expelReaders(trace: Trace, earlier: number, later: Event, sequence: Event[]): boolean {
  const [lock] = later.objects as [number]
  const holders = new Map<number, Event>()
  const follow = (event: Event): void => {
    const mode = event.modes[event.objects.indexOf(lock)]
    if (mode === MODE.acquireShared || mode === MODE.downgrade) holders.set(event.task, event)
    else if (mode === MODE.releaseShared) holders.delete(event.task)
  }
  for (const position of trace.historyOf(lock)) if (position < earlier) follow(item(trace.events, position))
  const before = new Set(holders.values())
  for (const event of sequence) follow(event)
  if (holders.size === 0) return true
  const gone: Event[] = []
  for (const event of holders.values()) {
    if (before.has(event)) return false
    gone.push(event)
  }
  for (let i = 0; i < sequence.length; ) {
    const event = item(sequence, i)
    if (gone.includes(event) || gone.some((other) => depends(other, event) && trace.positionOf(other) < trace.positionOf(event))) {
      gone.push(event)
      sequence.splice(i, 1)
    } else i++
  }
  return expelReaders(trace, earlier, later, sequence)
}
