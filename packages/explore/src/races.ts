import type { Access, Operation, Target } from '@mmu-notifier/kernel'
import { Histories, spread } from './histories.ts'

/** Two accesses of one object that nothing orders, at least one of them a write and at least one of them plain. */
export interface Clash {
  /** The object's number. */
  readonly id: number
  readonly name: string
  /** RACE, unless the object has a name of its own for it. */
  readonly code: string
  /** The id of the task that came first. */
  readonly other: number
  /** How it did. */
  readonly write: boolean
  readonly plain: boolean
}

/** How an event acts on an object: beside other reads, beside others that hold it too, or alone. */
const READ = 0
const SHARED = 1
const ALONE = 2
/** Of an object: it was read, held with others, and accessed plainly, since something was last done to it alone. */
const PLAIN_READ = 2
const PLAIN_WRITE = 3

/**
 * The race check: a plain access (`Cell.value`, outside of an operation) must be ordered by happens-before against every conflicting access, plain or
 * marked. The rule is that of the kernel's KCSAN; the test is by vector clocks, so it finds a race in whichever order the two accesses came.
 *
 * Events on one object are ordered but for two reads, and two that hold it with others. An engine uses one check for all its executions.
 */
export class RaceCheck {
  readonly #histories = new Histories()
  /** By object: the task, count and row of the last event that acted on it alone; no such event while the count is 0. */
  #alone = new Int32Array(3 * 8)
  /** By object, how (read, shared) and task: count and row of the last such event. */
  #beside = new Int32Array(8 * 2 * 4 * 2)
  /**
   * By object, whether it was a write, and task: one more than the task had performed before its last plain access. So that is ordered before whatever comes after the
   * task's next event.
   */
  #plain = new Int32Array(8 * 2 * 4)
  /** By object: which of READ, SHARED, PLAIN_READ and PLAIN_WRITE hold something, as bits. */
  #held = new Uint8Array(8)
  /** The operation that is being performed: whose, what it touches, and how. */
  #task = 0
  readonly #touched: number[] = []
  readonly #how: number[] = []
  #touches = 0
  /** By object. */
  readonly #targets: Target[] = []

  /** A new execution begins. */
  reset(): void {
    this.#histories.reset()
    this.#alone.fill(0)
    this.#held.fill(0)
    this.#touches = 0
  }

  /** Task `id` is made, by `maker`. */
  spawned(id: number, maker: number): void {
    const { width } = this.#histories
    if (id >= width) this.#widen(Math.max(id + 1, 2 * width))
    this.#histories.spawned(id, maker)
  }

  created(target: Target): void {
    const { id } = target
    this.#targets[id] = target
    if (id < this.#held.length) return
    const length = 2 * (id + 1)
    const held = new Uint8Array(length)
    held.set(this.#held)
    this.#held = held
    const { width } = this.#histories
    this.#alone = spread(this.#alone, 3, 3, length)
    this.#beside = spread(this.#beside, 4 * width, 4 * width, length)
    this.#plain = spread(this.#plain, 2 * width, 2 * width, length)
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
    this.#histories.begin(id)
    this.#touches = 0
  }

  /** It is the end of task `joined` that it waited for. */
  joins(joined: number): void {
    const histories = this.#histories
    histories.learn(joined, histories.passes(joined), histories.row(joined))
  }

  /** The operation acts on `target`. */
  touch(target: Target, access: Exclude<Access, 'none'>): void {
    const how = access === 'read' ? READ : access === 'acquireShared' || access === 'releaseShared' ? SHARED : ALONE
    const { id } = target
    const alone = this.#alone
    const count = alone[3 * id + 1] as number
    if (count > 0) this.#histories.learn(alone[3 * id] as number, count, alone[3 * id + 2] as number)
    const held = this.#held[id] as number
    if (how !== READ && (held & (1 << READ)) !== 0) this.#learnAll(id, READ)
    if (how !== SHARED && (held & (1 << SHARED)) !== 0) this.#learnAll(id, SHARED)
    this.#touched[this.#touches] = id
    this.#how[this.#touches] = how
    this.#touches++
  }

  /** The operation was performed. */
  end(): Clash | undefined {
    const task = this.#task
    const histories = this.#histories
    const count = histories.passes(task)
    const row = histories.row(task)
    let clash: Clash | undefined
    for (let i = 0; i < this.#touches; i++) {
      const id = this.#touched[i] as number
      const how = this.#how[i] as number
      const held = this.#held[id] as number
      if (how === ALONE) {
        const alone = this.#alone
        alone[3 * id] = task
        alone[3 * id + 1] = count
        alone[3 * id + 2] = row
        if (held !== 0) this.#held[id] = held & ~((1 << READ) | (1 << SHARED))
      } else {
        const first = (2 * id + how) * 2 * this.#histories.width
        if ((held & (1 << how)) === 0) this.#beside.fill(0, first, first + 2 * this.#histories.width)
        this.#beside[first + 2 * task] = count
        this.#beside[first + 2 * task + 1] = row
        this.#held[id] = held | (1 << how)
      }
      if (held >= 1 << PLAIN_READ) clash ??= this.#unorderedPlain(id, true, task) ?? (how === ALONE ? this.#unorderedPlain(id, false, task) : undefined)
    }
    return clash
  }

  /** A plain access by task `task`, between two of its operations. */
  plain(task: number, { id }: Target, write: boolean): Clash | undefined {
    const width = this.#histories.width
    const kind = write ? PLAIN_WRITE : PLAIN_READ
    const first = (2 * id + (write ? 1 : 0)) * width
    const held = this.#held[id] as number
    if ((held & (1 << kind)) === 0) this.#plain.fill(0, first, first + width)
    this.#held[id] = held | (1 << kind)
    this.#plain[first + task] = this.#histories.count(task) + 1
    return (
      this.#unorderedPlain(id, true, task) ??
      this.#unorderedAlone(id, task) ??
      (write ? (this.#unorderedPlain(id, false, task) ?? this.#unorderedBeside(id, READ, task) ?? this.#unorderedBeside(id, SHARED, task)) : undefined)
    )
  }

  /** The task whose operation is being performed comes after the last event of every task that did that to object `id`. */
  #learnAll(id: number, how: number): void {
    const width = this.#histories.width
    const first = (2 * id + how) * 2 * width
    for (let other = 0; other < width; other++) {
      const count = this.#beside[first + 2 * other] as number
      if (count > 0) this.#histories.learn(other, count, this.#beside[first + 2 * other + 1] as number)
    }
  }

  /** The last event that acted on object `id` alone, if it did not happen before what `task` does now; those before it happened before it. */
  #unorderedAlone(id: number, task: number): Clash | undefined {
    const at = 3 * id
    const other = this.#alone[at] as number
    if (other === task || (this.#alone[at + 1] as number) <= this.#histories.seen(task, other)) return undefined
    return this.#clash(id, other, true, false)
  }

  #clash(id: number, other: number, write: boolean, plain: boolean): Clash {
    const target = this.#targets[id]
    return { id, name: target?.name ?? '?', code: target?.raceCode ?? 'RACE', other, write, plain }
  }

  #unorderedBeside(id: number, how: number, task: number): Clash | undefined {
    if (((this.#held[id] as number) & (1 << how)) === 0) return undefined
    const first = (2 * id + how) * 2 * this.#histories.width
    for (let other = 0; other < this.#histories.width; other++) {
      if (other !== task && (this.#beside[first + 2 * other] as number) > this.#histories.seen(task, other)) return this.#clash(id, other, false, false)
    }
    return undefined
  }

  #unorderedPlain(id: number, write: boolean, task: number): Clash | undefined {
    if (((this.#held[id] as number) & (1 << (write ? PLAIN_WRITE : PLAIN_READ))) === 0) return undefined
    const first = (2 * id + (write ? 1 : 0)) * this.#histories.width
    for (let other = 0; other < this.#histories.width; other++) {
      if (other !== task && (this.#plain[first + other] as number) > this.#histories.seen(task, other)) return this.#clash(id, other, write, true)
    }
    return undefined
  }

  #widen(wider: number): void {
    const { width } = this.#histories
    const objects = this.#held.length
    this.#histories.widen(wider)
    this.#beside = spread(this.#beside, 2 * width, 2 * wider, 2 * objects)
    this.#plain = spread(this.#plain, width, wider, 2 * objects)
  }
}
