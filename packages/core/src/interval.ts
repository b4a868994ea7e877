/** A closed interval of addresses in bytes: `start` and `last` both belong to it, so it is never empty. What a notifier covers. */
export interface Interval {
  readonly start: number
  /** Inclusive. */
  readonly last: number
}

/** A half-open range of addresses in bytes: `end` does not belong to it. What an event is about. */
export interface AddressRange {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** The common part of an interval and a range, or undefined when they do not touch. Closed, like the interval. */
export function clamp(interval: Interval, range: AddressRange): Interval | undefined {
  const start = Math.max(interval.start, range.start)
  const last = Math.min(interval.last, range.end - 1)
  return start <= last ? { start, last } : undefined
}

/** What `range` leaves of `interval`: nothing, the left part, the right part, or both in this order. */
export function without(interval: Interval, range: AddressRange): Interval[] {
  if (!clamp(interval, range)) return [{ start: interval.start, last: interval.last }]
  const rest: Interval[] = []
  if (interval.start < range.start) rest.push({ start: interval.start, last: range.start - 1 })
  if (range.end <= interval.last) rest.push({ start: range.end, last: interval.last })
  return rest
}

/** @throws RangeError unless `interval` is one of whole addresses in 0 .. 2^53 - 1 with start <= last. Linux: -EOVERFLOW */
export function checkInterval(interval: Interval): void {
  const { start, last } = interval
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(last) || start < 0 || start > last) {
    throw new RangeError(`expected an interval with 0 <= start <= last < 2^53, got [${hex(start)}, ${hex(last)}]`)
  }
}

/** @throws RangeError unless `range` is one of whole addresses in 0 .. 2^53 - 1 with start < end */
export function checkRange(range: AddressRange): void {
  const { start, end } = range
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start >= end) {
    throw new RangeError(`expected a range with 0 <= start < end < 2^53, got [${hex(start)}, ${hex(end)})`)
  }
}

/** An address as people write it. */
export function hex(address: number): string {
  return Number.isSafeInteger(address) && address >= 0 ? `0x${address.toString(16)}` : String(address)
}
