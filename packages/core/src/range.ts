import { checkRange, clamp, hex, type Interval } from './interval.ts'
import type { InvalidateEvent, InvalidateRange, InvalidateRequest } from './ops.ts'
import type { Tree } from './tree-lock.ts'

export class Range implements InvalidateRange {
  readonly start: number
  readonly end: number
  readonly event: InvalidateEvent
  readonly owner: unknown
  readonly blockable: boolean
  readonly tree: Tree
  /** The number that every callback of it gets: that of the period. */
  seq = 0
  ended = false

  /** @throws RangeError for a range that is none */
  constructor(request: InvalidateRequest, blockable: boolean, tree: Tree) {
    checkRange(request)
    this.start = request.start
    this.end = request.end
    this.event = request.event
    this.owner = request.owner
    this.blockable = blockable
    this.tree = tree
  }

  within(interval: Interval): Interval {
    const part = clamp(interval, this)
    if (part) return part
    throw new RangeError(`[${hex(interval.start)}, ${hex(interval.last)}] does not touch the invalidated range ${this.toString()}`)
  }

  toString(): string {
    return `[${hex(this.start)}, ${hex(this.end)})`
  }
}
