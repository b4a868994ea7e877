import { alters, COMMUTE, isBarrier, ORDER, RACE, relation, waits } from './access.ts'
import { Clocks } from './clocks.ts'
import type { Event } from './event.ts'

/**
 * The events of one execution in the order in which they were performed, and their happens-before: the transitive closure of `depends`.
 *
 * An exploration uses one trace for all its executions. A new execution keeps the prefix that it shares with the last one, clocks and all.
 */
export class Trace {
  readonly events: Event[] = []
  readonly clocks: Clocks
  /** By object: the positions of the events that touched it. */
  readonly #history: number[][] = []
  /** By task: the positions of its events. */
  readonly #byTask: number[][] = []
  /** Positions that the event being appended depends on, and whether they race with it through a conflict that could go the other way. */
  readonly #found: number[] = []
  readonly #reversible: boolean[] = []

  constructor(tasks: number) {
    this.clocks = new Clocks(tasks)
  }

  get length(): number {
    return this.events.length
  }

  /** The position of the last event of `task`, or -1. */
  lastOf(task: number): number {
    return this.#byTask[task]?.at(-1) ?? -1
  }

  /** How many events of `task` there are. */
  countOf(task: number): number {
    return this.#byTask[task]?.length ?? 0
  }

  /** The positions of the events that touched `object`, oldest first. */
  historyOf(object: number): readonly number[] {
    return this.#history[object] ?? []
  }

  /** The position of the event of `task` with this index, or -1. */
  nth(task: number, index: number): number {
    return this.#byTask[task]?.[index] ?? -1
  }

  /** The position of an event of this trace. */
  positionOf(event: Event): number {
    return this.#byTask[event.task]?.[event.index] ?? -1
  }

  happensBefore(earlier: number, later: number): boolean {
    const event = this.events[earlier] as Event
    return this.clocks.get(later, event.task) > event.index
  }

  /** Forgets all but the first `length` events. */
  truncate(length: number): void {
    while (this.events.length > length) {
      const event = this.events[this.events.length - 1] as Event
      this.events.pop()
      for (const object of event.objects) this.#history[object]?.pop()
      this.#byTask[event.task]?.pop()
    }
  }

  /** The event at `position`, as it was recorded in this execution. */
  refresh(position: number, event: Event): Event {
    this.events[position] = event
    return event
  }

  /** Adds `event` at the end. @param races gets the positions of the events with which it races */
  append(event: Event, races?: number[]): void {
    const { task, index, objects } = event
    const position = this.events.length
    this.clocks.widen(task + 1, position)
    this.#relate(event, position, races)
    this.clocks.set(position, task, index + 1)
    this.events.push(event)
    for (const object of objects) (this.#history[object] ??= []).push(position)
    ;(this.#byTask[task] ??= []).push(position)
  }

  /** The positions of the events with which `event` would race, were it performed now. */
  racesOf(event: Event): number[] {
    const races: number[] = []
    this.clocks.widen(event.task + 1, this.events.length)
    this.#relate(event, this.events.length, races)
    return races
  }

  /** Equal for two executions exactly if they are equivalent, but for the rare collision of two hashes of 53 bits. */
  hash(): number {
    let a = 0x9e3779b9
    let b = 0x85ebca6b
    // What was never counted leaves no mark: how many tasks are known depends on the executions before.
    this.#byTask.forEach((positions, task) => {
      for (const position of positions) {
        const { kind, way } = this.events[position] as Event
        a = Math.imul(a ^ kind.length ^ (way << 8), 0x01000193)
        this.clocks.row(position).forEach((count, other) => {
          if (count === 0) return
          a = Math.imul(a ^ (count + 0x9e3779b1 * other), 0x01000193)
          b = Math.imul(b ^ (count + 0x165667b1 * (other + 1)), 0x27d4eb2f)
          b ^= b >>> 15
        })
        a = Math.imul(a ^ (0x5bd1e995 + task), 0x01000193)
      }
    })
    return (a >>> 0) * 2 ** 21 + ((b >>> 0) & 0x1fffff)
  }

  /** Computes the row of the event at `position`, its own count left out, and its races. */
  #relate(event: Event, position: number, races: number[] | undefined): void {
    const { task, objects, modes, after } = event
    const { clocks } = this
    clocks.copy(position, this.lastOf(task))
    this.#found.length = 0
    this.#reversible.length = 0
    for (let i = 0; i < objects.length; i++) this.#conflicts(task, objects[i] as number, modes[i] as number, i === 0 ? event.possible : undefined)
    // Here the row still is the one of the event before it in its task.
    if (races) this.#immediate(event, position, races)
    for (const other of this.#found) clocks.join(position, other)
    for (const other of after) clocks.join(position, this.positionOf(other))
  }

  #conflicts(task: number, object: number, mode: number, possible: Event['possible']): void {
    const history = this.#history[object]
    if (!history) return
    for (let i = history.length - 1; i >= 0; i--) {
      const position = history[i] as number
      const other = this.events[position] as Event
      const at = other.objects.indexOf(object)
      const theirs = other.modes[at] as number
      const relates = relation(theirs, mode)
      // What it had to wait for cannot be reversed; the race is with whatever made it wait.
      const how = relates === RACE && possible && !possible(other.before[at]) ? ORDER : relates
      if (other.task !== task && how !== COMMUTE) {
        this.#found.push(position)
        this.#reversible.push(how === RACE)
      }
      if (isBarrier(theirs) && (!possible || how === RACE)) return
    }
  }

  /**
   * A conflict is a race when nothing lies between the two: the earlier one did not happen before what the later one's task did before, nor before
   * another event that the later one conflicts with. What an acquisition waited for, the release, lies between it and the acquisition before, and does not count.
   */
  #immediate(event: Event, position: number, races: number[]): void {
    const found = this.#found
    const enablers = event.after.map((other) => this.positionOf(other))
    for (let i = 0; i < found.length; i++) {
      const earlier = found[i] as number
      if (!this.#reversible[i] || races.includes(earlier)) continue
      const other = this.events[earlier] as Event
      if (this.clocks.get(position, other.task) > other.index) continue
      if (event.kind === 'relax' && !this.#relaxesWithout(earlier, event)) continue
      const acquisition = this.#acquisitions(other, event)
      let between = enablers.some((enabler) => this.happensBefore(earlier, enabler))
      for (let j = 0; j < found.length && !between; j++) {
        const middle = found[j] as number
        if (middle === earlier || !this.happensBefore(earlier, middle)) continue
        between = !acquisition || this.#acquisitions(this.events[middle] as Event, event)
      }
      if (!between) races.push(earlier)
    }
  }

  /** True when there is a write that ends the turn of `relax`, other than the one at `position` and not because of it. */
  #relaxesWithout(position: number, relax: Event): boolean {
    return this.endsTurn(relax, (other) => other !== position && !this.happensBefore(position, other))
  }

  /** True when something that `relax` looked at was altered afterwards by another task, at a position that `counts`. */
  endsTurn(relax: Event, counts: (position: number) => boolean = () => true): boolean {
    return relax.objects.some((object, i) => {
      const looked = this.#byTask[relax.task]?.[relax.before[i] as number] ?? 0
      return (this.#history[object] ?? []).some((position) => {
        const { task, objects, modes } = this.events[position] as Event
        return position > looked && task !== relax.task && alters(modes[objects.indexOf(object)] as number) && counts(position)
      })
    })
  }

  /** True when the later one waits for a state of its target, a lock that both take say, which the earlier one took away. */
  #acquisitions(earlier: Event, later: Event): boolean {
    if (later.objects.length === 0 || !(waits(later.modes[0] as number) || later.possible)) return false
    const at = earlier.objects.indexOf(later.objects[0] as number)
    if (at < 0) return false
    const mode = earlier.modes[at] as number
    return relation(mode, later.modes[0] as number) === RACE && (!later.possible || later.possible(earlier.before[at]))
  }
}
