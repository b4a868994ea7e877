/** Something that happened at a time. */
export interface Timed {
  readonly time: number | undefined
}

/** A sequence in order of time that need not be opened before `firstTime`. */
export interface TimedSource<T extends Timed> {
  readonly firstTime: number
  open(): AsyncIterator<readonly T[]>
}

class Cursor<T extends Timed> {
  readonly #batches: AsyncIterator<readonly T[]>
  #batch: readonly T[] = []
  #i = 0
  /** Nothing comes any more. */
  ended = false

  constructor(batches: AsyncIterator<readonly T[]>) {
    this.#batches = batches
  }

  get head(): T | undefined {
    return this.#batch[this.#i]
  }

  skip(): void {
    this.#i++
  }

  /** Reads on until there is a head or the end. */
  async fill(): Promise<void> {
    while (this.head === undefined && !this.ended) {
      const next = await this.#batches.next()
      this.ended = next.done === true
      this.#batch = next.done === true ? [] : next.value
      this.#i = 0
    }
  }

  async close(): Promise<void> {
    await this.#batches.return?.()
  }
}

/**
 * Merges sources by time, in batches; equal times in order of the sources. A source is open only from its first time to its end: `strace
 * -ff` writes one file a task, and thousands are usual.
 * @param sources in order of their first times
 */
export async function* mergeByTime<T extends Timed>(sources: readonly TimedSource<T>[]): AsyncGenerator<readonly T[], void, undefined> {
  const waiting = [...sources]
  let open: Cursor<T>[] = []
  try {
    while (waiting.length > 0 || open.length > 0) {
      const now = open.length > 0 ? Math.min(...open.map(timeOf)) : (waiting[0]?.firstTime ?? 0)
      while (waiting[0] !== undefined && waiting[0].firstTime <= now) {
        open.push(new Cursor(waiting[0].open()))
        waiting.shift()
      }
      for (const cursor of open) await cursor.fill()
      open = open.filter((cursor) => !cursor.ended)
      yield drain(open, waiting[0]?.firstTime ?? Infinity)
    }
  } finally {
    for (const cursor of open) await cursor.close()
  }
}

function timeOf<T extends Timed>(cursor: Cursor<T>): number {
  return cursor.head?.time ?? 0
}

/** Takes heads in order of time, up to `end`, as long as every source has one. */
function drain<T extends Timed>(open: readonly Cursor<T>[], end: number): T[] {
  const taken: T[] = []
  for (;;) {
    let first: Cursor<T> | undefined
    for (const cursor of open) {
      if (cursor.head === undefined) return taken
      if (first === undefined || timeOf(cursor) < timeOf(first)) first = cursor
    }
    if (first?.head === undefined || timeOf(first) >= end) return taken
    taken.push(first.head)
    first.skip()
  }
}
