import type { Operation, Scheduler } from './scheduler.ts'

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

const always = (): boolean => true

export class KernelCell<T> implements Cell<T> {
  readonly name: string
  readonly #scheduler: Scheduler
  readonly #read: Operation<T>
  #value: T

  constructor(scheduler: Scheduler, name: string, value: T) {
    this.#scheduler = scheduler
    this.name = name
    this.#value = value
    this.#read = { kind: 'read', object: name, target: this, access: 'read', enabled: always, perform: () => this.#value }
  }

  get value(): T {
    this.#scheduler.touched?.(this, 'read')
    return this.#value
  }

  set value(value: T) {
    this.#scheduler.touched?.(this, 'write')
    this.#value = value
  }

  get state(): T {
    return this.#value
  }

  read(): Promise<T> {
    return this.#scheduler.step(this.#read)
  }

  write(value: T): Promise<void> {
    return this.#scheduler.step({
      kind: 'write',
      object: this.name,
      target: this,
      access: 'write',
      enabled: always,
      perform: () => { this.#value = value },
    })
  }

  compareExchange(expected: T, value: T): Promise<T> {
    return this.#update((held) => (held === expected ? value : held), (held) => held === expected)
  }

  update(change: (held: T) => T): Promise<T> {
    return this.#update(change)
  }

  #update(change: (held: T) => T, changes?: (held: T) => boolean): Promise<T> {
    return this.#scheduler.step({
      kind: 'update',
      object: this.name,
      target: this,
      access: 'write',
      ...(changes && { changes: changes as (state: unknown) => boolean }),
      enabled: always,
      perform: () => {
        const held = this.#value
        this.#value = change(held)
        return held
      },
    })
  }
}
