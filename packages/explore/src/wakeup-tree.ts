import { ANY, dependent, depends, type Event } from './event.ts'
import { item } from './item.ts'

/**
 * Wakeup trees (Abdulla, Aronis, Jonsson, Sagonas, Optimal Dynamic Partial Order Reduction, POPL 2014). A tree hangs on a state; the path
 * to a leaf is a sequence of events that leads from it to something that nobody has explored yet.
 */
export interface WakeupNode {
  readonly event: Event
  /** In the order in which they are to be explored. */
  readonly children: WakeupNode[]
}

/**
 * Whether `event`, possible in the state before `sequence`, can come first in it: as its task's own first event there, or by commuting with all of it.
 * The paper's weak initials.
 *
 * That an event that commutes with all of a sequence makes the sequence needless rests on the races of everything that was explored after that event, from the first step of
 * all. A part of a search has not seen all of them: there, only an event that is in the sequence counts, as in source-DPOR, and some executions may turn out to be needless.
 * @param strictly the event has to be in the sequence
 * @returns its place in `sequence`, `sequence.length` when it commutes with all, or -1 when it cannot
 */
export function leads(event: Event, sequence: readonly Event[], strictly: boolean): number {
  const at = sequence.findIndex((other) => other.task === event.task)
  if (at < 0) return strictly || sequence.some((other) => dependent(event, other)) ? -1 : sequence.length
  if (event.way !== ANY && item(sequence, at).way !== event.way) return -1
  return isInitial(sequence, at) ? at : -1
}

/** True when nothing before `sequence[at]` has to come before it. */
export function isInitial(sequence: readonly Event[], at: number): boolean {
  const event = item(sequence, at)
  for (let i = 0; i < at; i++) if (depends(item(sequence, i), event)) return false
  return true
}

/** `sequence` with its last event, if that is to go in {@link ANY} way, in each of `ways`; itself for none. */
export function inWays(sequence: Event[], ways: number): Event[][] {
  if (ways === 0) return [sequence]
  const last = item(sequence, sequence.length - 1)
  return Array.from({ length: ways }, (_, way) => [...sequence.slice(0, -1), { ...last, way }])
}

/** How many ways the last event of `sequence` has where one of `children` is the same event, in a certain way; 0 when there is no such child, or no need to know. */
function waysAmong(children: readonly WakeupNode[], sequence: readonly Event[]): number {
  const last = sequence.at(-1)
  if (last?.way !== ANY) return 0
  const same = children.find(({ event }) => event.task === last.task && event.way !== ANY)
  return same && isInitial(sequence, sequence.length - 1) ? same.event.ways : 0
}

/** Adds a branch for `sequence`, unless a leaf's exploration will come by it. `sequence` is used up. */
export function insert(children: WakeupNode[], sequence: Event[], strictly: boolean): void {
  for (;;) {
    let child: WakeupNode | undefined
    for (const candidate of children) {
      const at = leads(candidate.event, sequence, strictly)
      if (at < 0) continue
      if (at < sequence.length) sequence.splice(at, 1)
      child = candidate
      break
    }
    if (!child) break
    if (child.children.length === 0) return
    children = child.children
    const ways = waysAmong(children, sequence)
    if (ways > 0) {
      for (const each of inWays(sequence, ways)) insert(children, each, strictly)
      return
    }
  }
  for (const event of sequence) {
    const children_: WakeupNode[] = []
    children.push({ event, children: children_ })
    children = children_
  }
}
