import { ANY, dependent, depends, type Event } from './event.ts'
import { item } from './item.ts'

/**
 * Wakeup trees (Abdulla, Aronis, Jonsson, Sagonas, Optimal Dynamic Partial Order Reduction, POPL 2014). A tree hangs on a state; the path
 * to a leaf is a sequence of events that leads from it to something that nobody has explored yet.
 */
export interface WakeupNode {
  /** At least one: the next event and, as far as the path does not fork, those after it. */
  readonly events: readonly Event[]
  /** In the order in which they are to be explored; undefined for a leaf, which never gets any. */
  readonly children: WakeupNode[] | undefined
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
  const event = sequence[at] as Event
  for (let i = 0; i < at; i++) if (depends(sequence[i] as Event, event)) return false
  return true
}

/** `sequence` with its last event, if that is to go in {@link ANY} way, in each of `ways`; itself for none. */
export function inWays(sequence: Event[], ways: number): Event[][] {
  if (ways === 0) return [sequence]
  const last = item(sequence, sequence.length - 1)
  return Array.from({ length: ways }, (_, way) => [...sequence.slice(0, -1), { ...last, way }])
}

/** How many ways the last event of `sequence` has, where `event` is the same in a certain way and the last could come first; 0 where that is not so, or no need to know. */
function waysOf(event: Event, sequence: readonly Event[]): number {
  const last = sequence.at(-1)
  if (last?.way !== ANY || event.task !== last.task || event.way === ANY) return 0
  return isInitial(sequence, sequence.length - 1) ? event.ways : 0
}

function waysAmong(children: readonly WakeupNode[], sequence: readonly Event[]): number {
  const last = sequence.at(-1)
  const same = children.find(({ events: [first] }) => first?.task === last?.task && first?.way !== ANY)
  return same ? waysOf(same.events[0] as Event, sequence) : 0
}

/** Adds a branch for `sequence`, unless a leaf's exploration will come by it. `sequence` is used up. */
export function insert(roots: WakeupNode[], sequence: Event[], strictly: boolean): void {
  for (let at = 0; at < roots.length; at++) {
    const node = roots[at] as WakeupNode
    const common = follow(node.events, sequence, strictly)
    if (common === 0) continue
    if (sequence.length === 0) return
    if (common < node.events.length) {
      const children = [{ events: node.events.slice(common), children: node.children }]
      roots[at] = { events: node.events.slice(0, common), children }
      insertBelow(children, sequence, strictly)
    } else if (node.children) insertBelow(node.children, sequence, strictly)
    return
  }
  if (sequence.length > 0) roots.push({ events: sequence.slice(), children: undefined })
}

function insertBelow(children: WakeupNode[], sequence: Event[], strictly: boolean): void {
  for (const each of inWays(sequence, waysAmong(children, sequence))) insert(children, each, strictly)
}

/** Takes out of `sequence` what the first of `events` stand for. @returns how many of these can come first in it, one after the other */
function follow(events: readonly Event[], sequence: Event[], strictly: boolean): number {
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as Event
    // Below the first, its ways are not known yet.
    if (i > 0 && waysOf(event, sequence) > 0) return i
    const at = leads(event, sequence, strictly)
    if (at < 0) return i
    if (at < sequence.length) sequence.splice(at, 1)
  }
  return events.length
}

/** What is to be explored after the first event of a node. */
export function below({ events, children }: WakeupNode): WakeupNode[] {
  return events.length > 1 ? [{ events: events.slice(1), children }] : (children ?? [])
}
