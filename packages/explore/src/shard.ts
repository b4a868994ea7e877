/**
 * One of `count` parts of an exploration, numbered from 0. The parts can run anywhere, need not know of each other, and are the same each time; together they do
 * what the whole does, and some of it more than once.
 */
export interface Shard {
  readonly index: number
  readonly count: number
}

/** The whole as its only part. */
export const WHOLE: Shard = { index: 0, count: 1 }

/** @throws RangeError for what is no part */
export function checkShard({ index, count }: Shard): void {
  const valid = Number.isSafeInteger(count) && count >= 1 && count <= 10_000 && Number.isSafeInteger(index) && index >= 0 && index < count
  if (!valid) throw new RangeError(`shard: expected an index from 0 to count - 1 and a count from 1 to 10,000, got ${index} of ${count}`)
}

/** Parses `2/4`, the second of four. RangeError for a text that is none. */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []
  const shard = { index: Number(index) - 1, count: Number(count) }
  if (index === undefined || shard.count < 1 || shard.index < 0 || shard.index >= shard.count) throw new RangeError(`shard: expected I/N with N from 1 to 10,000 and I from 1 to N, got ${text}`)
  checkShard(shard)
  return shard
}

/** A part of `n` things: the first parts have one more where they do not divide. */
export function partOf(n: number, { index, count }: Shard): number {
  return Math.floor(n / count) + (index < n % count ? 1 : 0)
}

/**
 * How an exhaustive search is split: every way of taking the first `depth` steps is reached by every part, in the same order, and what follows on each belongs to one of them.
 */
export interface Split extends Shard {
  readonly depth: number
}

export const UNSPLIT: Split = { ...WHOLE, depth: 0 }
