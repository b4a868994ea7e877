import { dependent, depends, type Event } from './event.ts'
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
 * @returns its place in `sequence`, `sequence.length` when it commutes with all, or -1 when it cannot
 */
export function leads(event: Event, sequence: readonly Event[]): number {
  const at = sequence.findIndex((other) => other.task === event.task)
  if (at < 0) return sequence.some((other) => dependent(event, other)) ? -1 : sequence.length
  if (item(sequence, at).way !== event.way) return -1
  return isInitial(sequence, at) ? at : -1
}

/** True when nothing before `sequence[at]` has to come before it. */
export function isInitial(sequence: readonly Event[], at: number): boolean {
  const event = item(sequence, at)
  for (let i = 0; i < at; i++) if (depends(item(sequence, i), event)) return false
  return true
}

/** Adds a branch for `sequence`, unless a leaf's exploration will come by it. `sequence` is used up. */
export function insert(children: WakeupNode[], sequence: Event[]): void {
  for (;;) {
    let child: WakeupNode | undefined
    for (const candidate of children) {
      const at = leads(candidate.event, sequence)
      if (at < 0) continue
      if (at < sequence.length) sequence.splice(at, 1)
      child = candidate
      break
    }
    if (!child) break
    if (child.children.length === 0) return
    children = child.children
  }
  for (const event of sequence) {
    const children_: WakeupNode[] = []
    children.push({ event, children: children_ })
    children = children_
  }
}
