import { operation, type Operation, type Scheduler, type Target } from './scheduler.ts'

/** One word that tasks share without a lock. Linux: `READ_ONCE`, `WRITE_ONCE`, `cmpxchg`, `atomic_fetch_add`. */
export interface Cell<T> {
  readonly name: string
  /** Plain access, for code that a lock already orders (inside a section, say); not a step of its own. */
  value: T
  read(): Promise<T>
  write(value: T): Promise<void>
  /** Writes `value` if the cell holds `expected`. @returns what the cell held before */
  compareExchange(expected: T, value: T): Promise<T>
  /** Replaces what the cell holds by `change` of it, in one step. @returns what the cell held before */
  update(change: (held: T) => T): Promise<T>
}

export class KernelCell<T> implements Cell<T>, Target {
  id = 0
  readonly name: string
  readonly scheduler: Scheduler
  /** What it holds. Operations use this; everybody else {@link value}, of which the scheduler is told. */
  state: T

  constructor(scheduler: Scheduler, name: string, value: T) {
    this.scheduler = scheduler
    this.name = name
    this.state = value
  }

  get value(): T {
    this.scheduler.touched?.(this, 'read')
    return this.state
  }

  set value(value: T) {
    this.scheduler.touched?.(this, 'write')
    this.state = value
  }

  read(): Promise<T> {
    return this.scheduler.step(READ as Operation<KernelCell<T>, undefined, undefined, T>, this, undefined, undefined)
  }

  write(value: T): Promise<void> {
    return this.scheduler.step(WRITE, this, value, undefined)
  }

  compareExchange(expected: T, value: T): Promise<T> {
    return this.scheduler.step(COMPARE_EXCHANGE as Operation<KernelCell<T>, T, T, T>, this, expected, value)
  }

  update(change: (held: T) => T): Promise<T> {
    return this.scheduler.step(UPDATE as Operation<KernelCell<T>, (held: T) => T, undefined, T>, this, change, undefined)
  }
}

type AnyCell = KernelCell<unknown>

const READ: Operation<AnyCell, undefined, undefined> = operation({ kind: 'read', access: 'read', perform: (cell) => cell.state })

const WRITE: Operation<AnyCell, unknown, undefined, void> = operation({
  kind: 'write',
  access: 'write',
  perform: (cell, value) => { cell.state = value },
})

const COMPARE_EXCHANGE: Operation<AnyCell> = operation({
  kind: 'update',
  access: 'write',
  changes: (held, expected) => held === expected,
  perform(cell, expected, value) {
    const held = cell.state
    if (held === expected) cell.state = value
    return held
  },
})

const UPDATE: Operation<AnyCell, (held: unknown) => unknown, undefined> = operation({
  kind: 'update',
  access: 'write',
  perform(cell, change) {
    const held = cell.state
    cell.state = change(held)
    return held
  },
})
