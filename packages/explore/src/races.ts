import type { Access, Operation, Target } from '@mmu-notifier/kernel'

/** Two accesses of one object that nothing orders, at least one of them a write and at least one of them plain. */
export interface Clash {
  readonly name: string
  /** RACE, unless the object has a name of its own for it. */
  readonly code: string
  /** The id of the task that came first. */
  readonly other: number
  /** How it did. */
  readonly write: boolean
  readonly plain: boolean
}

// The rows of an object, each with a count for each task. Clocks of all that read it, that held it with others, and that did anything else to it; the last one
// takes in the other two whenever it grows.
const READ = 0
const SHARED = 1
const ALONE = 2
// How many events a task had performed after its last marked read, and its last marked write.
const MARKED_READ = 3
const MARKED_WRITE = 4
// One more than it had performed before its last plain read, and write: the access is ordered before whatever comes after the next one.
const PLAIN_READ = 5
const PLAIN_WRITE = 6
const ROWS = 7

/**
 * The race check: a plain access (`Cell.value`, outside of an operation) must be ordered by happens-before against every conflicting access, plain or
 * marked. The rule is that of the kernel's KCSAN; the test is by vector clocks, so it finds a race in whichever order the two accesses came.
 *
 * Happens-before is that of `Trace`, kept for tasks and objects in place of events: events on one object are ordered but for two reads, and two that hold it with
 * others. An engine uses one check for all its executions.
 */
export class RaceCheck {
  #width = 4
  #tasks = new Int32Array(4 * 4)
  #objects = new Int32Array(8 * ROWS * 4)
  #task = 0
  /** What the operation that is being performed touches, and in which of the first three rows that counts. */
  readonly #touched: Target[] = []
  readonly #how: number[] = []
  #count = 0
  /** By object: the rows that hold something, as bits; of the first two, something that the third does not. */
  #rows = new Uint8Array(8)

  /** A new execution begins. */
  reset(): void {
    this.#tasks.fill(0)
    this.#objects.fill(0)
    this.#rows.fill(0)
    this.#count = 0
  }

  /** Task `id` is made, by `maker`. */
  spawned(id: number, maker: number): void {
    if (id >= this.#width) this.#widen(Math.max(id + 1, 2 * this.#width))
    const width = this.#width
    this.#passes(maker)
    this.#tasks.copyWithin(id * width, maker * width, (maker + 1) * width)
  }

  /** What `task` has done so far, plain accesses after its last operation included, happens before what comes of this moment. */
  #passes(task: number): void {
    const at = task * this.#width + task
    this.#tasks[at] = (this.#tasks[at] as number) + 1
  }

  created({ id }: Target): void {
    if (id < this.#rows.length) return
    const rows = new Uint8Array(2 * (id + 1))
    rows.set(this.#rows)
    this.#rows = rows
    this.#objects = spread(this.#objects, this.#width, this.#width, rows.length * ROWS * this.#width)
  }

  /** Task `id` is about to perform an operation, of which so much is known before. */
  performs(id: number, { kind, access, changes }: Operation, target: Target, a: unknown): void {
    this.begin(id)
    if (access !== 'none') this.touch(target, changes?.(target.state, a) === false ? 'read' : access)
    else if (kind === 'join') this.joins(target.id)
  }

  /** Task `id` begins an operation. */
  begin(id: number): void {
    this.#task = id
    this.#count = 0
  }

  /** It is the end of task `joined` that it waited for. */
  joins(joined: number): void {
    const width = this.#width
    this.#passes(joined)
    join(this.#tasks, this.#task * width, this.#tasks, joined * width, width)
  }

  /** The operation acts on `target`. */
  touch(target: Target, access: Exclude<Access, 'none'>): void {
    const how = access === 'read' ? READ : access === 'acquireShared' || access === 'releaseShared' ? SHARED : ALONE
    const width = this.#width
    const clock = this.#task * width
    const rows = target.id * ROWS * width
    const held = this.#rows[target.id] as number
    for (let row = READ; row <= ALONE; row++) {
      if ((held & (1 << row)) !== 0 && (row !== how || row === ALONE)) join(this.#tasks, clock, this.#objects, rows + row * width, width)
    }
    this.#touched[this.#count] = target
    this.#how[this.#count] = how
    this.#count++
  }

  /** The operation was performed. */
  end(): Clash | undefined {
    const width = this.#width
    const task = this.#task
    const clock = task * width
    const tasks = this.#tasks
    const count = (tasks[clock + task] as number) + 1
    tasks[clock + task] = count
    let clash: Clash | undefined
    for (let i = 0; i < this.#count; i++) {
      const target = this.#touched[i] as Target
      const how = this.#how[i] as number
      const rows = target.id * ROWS * width
      join(this.#objects, rows + how * width, tasks, clock, width)
      const marked = how === ALONE ? MARKED_WRITE : MARKED_READ
      this.#objects[rows + marked * width + task] = count
      const held = this.#rows[target.id] as number
      this.#rows[target.id] = (how === ALONE ? held & ~((1 << READ) | (1 << SHARED)) : held) | (1 << how) | (1 << marked)
      if (held >= 1 << PLAIN_READ) clash ??= this.#unordered(target, PLAIN_WRITE, task) ?? (how === ALONE ? this.#unordered(target, PLAIN_READ, task) : undefined)
    }
    return clash
  }

  /** A plain access by task `task`, between two of its operations. */
  plain(task: number, target: Target, write: boolean): Clash | undefined {
    const width = this.#width
    const row = write ? PLAIN_WRITE : PLAIN_READ
    this.#rows[target.id] = (this.#rows[target.id] as number) | (1 << row)
    this.#objects[(target.id * ROWS + row) * width + task] = (this.#tasks[task * width + task] as number) + 1
    return (
      this.#unordered(target, PLAIN_WRITE, task) ??
      this.#unordered(target, MARKED_WRITE, task) ??
      (write ? (this.#unordered(target, PLAIN_READ, task) ?? this.#unordered(target, MARKED_READ, task)) : undefined)
    )
  }

  /** An access of that kind, by another task, that did not happen before what `task` does now. */
  #unordered(target: Target, row: number, task: number): Clash | undefined {
    if (((this.#rows[target.id] as number) & (1 << row)) === 0) return undefined
    const width = this.#width
    const at = (target.id * ROWS + row) * width
    const clock = task * width
    for (let other = 0; other < width; other++) {
      if ((this.#objects[at + other] as number) <= (this.#tasks[clock + other] as number) || other === task) continue
      return { name: target.name, code: target.raceCode ?? 'RACE', other, write: row === MARKED_WRITE || row === PLAIN_WRITE, plain: row >= PLAIN_READ }
    }
    return undefined
  }

  #widen(width: number): void {
    this.#tasks = spread(this.#tasks, this.#width, width, width * width)
    this.#objects = spread(this.#objects, this.#width, width, (this.#objects.length / this.#width) * width)
    this.#width = width
  }
}

function join(into: Int32Array, to: number, from: Int32Array, at: number, width: number): void {
  for (let i = 0; i < width; i++) {
    const count = from[at + i] as number
    if (count > (into[to + i] as number)) into[to + i] = count
  }
}

/** Rows of `width` as rows of `wider`. */
function spread(from: Int32Array, width: number, wider: number, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length)
  for (let row = 0; row * width < from.length; row++) to.set(from.subarray(row * width, (row + 1) * width), row * wider)
  return to
}
