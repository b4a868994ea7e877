import { alters } from './access.ts'
import type { Footprint } from './footprint.ts'
import type { Trace } from './trace.ts'
import { item } from './item.ts'

/** Two accesses of one object that nothing orders, at least one of them a write and at least one of them plain. */
export interface Clash {
  readonly object: number
  readonly task: number
  readonly write: boolean
  readonly plain: boolean
  /** The event of the other access, or the last event of its task before it when it is plain; -1 when it had none. */
  readonly position: number
}

interface Access {
  readonly task: number
  /** How many events the task had performed: the access lies before its event of this index. */
  readonly count: number
  readonly write: boolean
}

/**
 * The race check: a plain access (`Cell.value`, outside of an operation) must be ordered by happens-before against every conflicting access, plain or
 * marked. The rule is that of the kernel's KCSAN; the test is by vector clocks, so it finds a race in whichever order the two accesses came.
 */
export class PlainAccesses {
  readonly #trace: Trace
  /** By object. At most two for each task: its last read and its last write. */
  readonly #accesses = new Map<number, Access[]>()

  constructor(trace: Trace) {
    this.#trace = trace
  }

  /**
   * A plain access by `task`, whose last event, or the one that it was spawned after, is at `position` (-1: none).
   * @param length how many events of the trace this execution has performed
   */
  access(task: number, position: number, object: number, write: boolean, length: number): Clash | undefined {
    const accesses = this.#accesses.get(object) ?? []
    const last = this.#trace.events[position]
    const count = last?.task === task ? last.index + 1 : 0
    this.#accesses.set(object, [...accesses.filter((other) => other.task !== task || other.write !== write), { task, count, write }])
    return this.#unordered(task, position, object, write) ?? this.#unorderedMarked(task, position, object, write, length)
  }

  /** The event at `position` was performed. @param footprint what it touched indeed */
  marked(task: number, position: number, footprint: Footprint): Clash | undefined {
    if (this.#accesses.size === 0) return undefined
    return footprint.find((object, writes) => this.#unordered(task, position, object, writes))
  }

  #unordered(task: number, position: number, object: number, write: boolean): Clash | undefined {
    const other = this.#accesses.get(object)?.find(
      (access) => access.task !== task && (access.write || write) && (position < 0 || this.#trace.clocks.get(position, access.task) <= access.count),
    )
    return other && { object, task: other.task, write: other.write, plain: true, position: this.#trace.nth(other.task, other.count - 1) }
  }

  #unorderedMarked(task: number, position: number, object: number, write: boolean, length: number): Clash | undefined {
    for (const at of this.#trace.historyOf(object)) {
      if (at >= length) return undefined
      const other = this.#trace.events[at]
      if (!other || other.task === task) continue
      const wrote = alters(item(other.modes, other.objects.indexOf(object)))
      if (!wrote && !write) continue
      if (position < 0 || !this.#trace.happensBefore(at, position)) return { object, task: other.task, write: wrote, plain: false, position: at }
    }
    return undefined
  }
}
