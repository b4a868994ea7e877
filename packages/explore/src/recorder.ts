import { objectOf, type Operation, type Target } from '@mmu-notifier/kernel'
import { MODE } from './access.ts'
import { nondeterminism } from './complaints.ts'
import type { Director } from './director.ts'
import type { Event } from './event.ts'
import type { EventTable } from './event-table.ts'
import type { Failure } from './failure.ts'
import { Footprint } from './footprint.ts'
import type { Identities } from './identities.ts'
import { indexOf, type ExploredTask } from './explored-task.ts'
import type { Reach } from './reach.ts'
import type { Trace } from './trace.ts'
import { item } from './item.ts'

const NOTHING: readonly Event[] = []

/** What an engine keeps from one execution to the next. */
export interface Memory {
  readonly trace: Trace
  readonly objectIds: Identities
  readonly events: EventTable
  readonly reach: Reach
  /** Some task ended a turn of a retry loop. */
  relaxes: boolean
}

/**
 * Writes the events of one execution into the trace, and checks on the way that a repeated prefix is repeated. It
 * does not care how tasks are suspended and resumed.
 */
export class Recorder {
  readonly trace: Trace
  readonly #director: Director
  readonly #identities: Identities
  readonly #events: EventTable
  readonly #memory: Memory
  readonly #reach: Reach
  /** By number. */
  readonly #targets: Target[] = []
  readonly #footprint = new Footprint()
  /** Events of this execution so far. Below the director's prefix, the trace holds those of an execution before it, and more of them. */
  #steps = 0

  constructor(memory: Memory, director: Director) {
    const { trace, objectIds, events, reach } = memory
    this.trace = trace
    this.#memory = memory
    this.#reach = reach
    this.#director = director
    this.#identities = objectIds
    this.#events = events
  }

  get steps(): number {
    return this.#steps
  }

  /** The event that the current execution performed last. */
  get lastEvent(): Event | undefined {
    return this.trace.events[this.#steps - 1]
  }

  get repeating(): boolean {
    return this.#steps < this.#director.prefix
  }

  created(target: Target, maker: ExploredTask): void {
    const id = this.#identities.of(maker.id, maker.primitives++, target.name)
    target.id = id
    this.#targets[id] = target
  }

  /** Finds who can take a step, and notes who could not, and what has changed that. @param enabled is given their numbers @returns how many they are */
  findEnabled(live: readonly ExploredTask[], enabled: number[]): number {
    let count = 0
    for (const task of live) {
      const { operation, target, a, b } = task
      const can = operation !== undefined && target !== undefined && (operation.enabled?.(target, a, b) ?? true)
      if (can && task.couldRun === false) task.enabledBy = this.lastEvent
      task.couldRun = operation && can
      if (can) enabled[count++] = task.id - 1
    }
    return count
  }

  /** `task` is about to perform `operation`. */
  begin(task: ExploredTask, operation: Operation, target: Target): void {
    this.#footprint.clear()
    if (operation.access === 'none') return
    const { state } = target
    const id = this.#idOf(target)
    const mode = this.#events.changesOf(operation)?.(state, task.a) === false ? MODE.read : MODE[operation.access]
    this.#footprint.touch(id, mode, state)
    const known = this.#reach.get(task.id - 1, indexOf(task), id)
    if (!known) return
    known.objects.forEach((object, i) => { this.#footprint.expect(object, item(known.modes, i), this.#targets[object]?.state) })
  }

  /** The operation that is being performed touches a cell. */
  touched(target: Target, access: 'read' | 'write'): void {
    this.#footprint.touch(this.#idOf(target), MODE[access], target.state)
  }

  /** The end of a turn of a retry loop, as far as it is known before it comes: what the task has looked at since the last one. */
  turnOf(task: ExploredTask): Event {
    this.#memory.relaxes = true
    const index = indexOf(task)
    const objects: number[] = []
    const before: number[] = []
    for (let i = task.turn; i < index; i++) {
      for (const object of (item(this.trace.events, this.trace.nth(task.id - 1, i))).objects) {
        if (objects.includes(object)) continue
        objects.push(object)
        before.push(i)
      }
    }
    const name = objects.map((object) => this.#identities.names[object] ?? '?').join(', ')
    return { task: task.id - 1, index, kind: 'relax', name, way: 0, ways: 0, objects, modes: objects.map(() => MODE.read), before, changes: undefined, possible: undefined, after: NOTHING, fleeting: false }
  }

  /** The turn of `relax` is over: it has seen that something it looked at was altered. @returns what that is */
  relaxed(relax: Event): Target[] {
    return relax.objects.map((object, i) => {
      this.#footprint.touch(object, MODE.read, relax.before[i])
      return item(this.#targets, object)
    })
  }

  /** True when something that `relax` looked at was altered since, in this execution. */
  canRelax(relax: Event): boolean {
    return this.trace.endsTurn(relax, (position) => position < this.#steps)
  }

  /** The operation was performed. */
  end(task: ExploredTask, operation: Operation, target: Target, way: number, ways: number): Failure | undefined {
    const step = this.#steps++
    if (step < this.#director.prefix) {
      const before = item(this.trace.events, step)
      if (!this.#repeats(before, task, operation)) {
        return nondeterminism(task, `did ${before.kind} ${before.name} in step ${step} of one execution, and ${operation.kind} ${objectOf(operation, target)} in another with the same choices`)
      }
      task.lastEvent = before.fleeting ? this.trace.refresh(step, this.eventOf(task, operation, target, way, ways)) : before
    } else {
      const races: number[] | undefined = this.#director.wantsRaces ? [] : undefined
      if (operation.kind !== 'relax') this.#reach.learn(task.id - 1, indexOf(task), this.#footprint)
      const event = this.eventOf(task, operation, target, way, ways)
      this.trace.append(event, races)
      task.lastEvent = event
      if (races) this.#director.performed?.(step, races)
    }
    return undefined
  }

  /** What `task` does or would do with `operation`, with the footprint recorded since {@link begin}. */
  eventOf(task: ExploredTask, operation: Operation, target: Target, way: number, ways: number): Event {
    const { lastEvent } = task
    const after: Event[] = []
    if (!lastEvent && task.spawnedAfter) after.push(task.spawnedAfter)
    if (operation.kind === 'join') {
      const joined = (target as ExploredTask).lastEvent
      if (joined) after.push(joined)
    }
    if (operation.kind === 'wait' && !operation.possible && task.enabledBy) after.push(task.enabledBy)
    return this.#events.of(task, operation, target, way, ways, this.#footprint, after.length > 0 ? after : NOTHING)
  }

  #repeats(event: Event, task: ExploredTask, operation: Operation): boolean {
    return event.task === task.id - 1 && event.kind === operation.kind && event.objects[0] === (this.#footprint.size > 0 ? this.#footprint.objects[0] : undefined)
  }

  #idOf(target: Target): number {
    const { id } = target
    if (this.#targets[id] !== target) throw new TypeError('an explored task uses a primitive that this execution did not make: make it in setup')
    return id
  }
}
