import type { Scheduler } from './scheduler.ts'

/** One word that tasks share without a lock. Linux: `READ_ONCE`, `WRITE_ONCE`, `cmpxchg`. */
export interface Cell<T> {
  readonly name: string
  /** Plain access, for code that a lock already orders (inside a section, say); not a step of its own. */
  value: T
  read(): Promise<T>
  write(value: T): Promise<void>
  /** Writes `value` if the cell holds `expected`. @returns what the cell held before */
  compareExchange(expected: T, value: T): Promise<T>
}

export class KernelCell<T> implements Cell<T> {
  readonly name: string
  value: T
  readonly #scheduler: Scheduler

  constructor(scheduler: Scheduler, name: string, value: T) {
    this.#scheduler = scheduler
    this.name = name
    this.value = value
  }

  read(): Promise<T> {
    return this.#scheduler.step({ kind: 'read', object: this.name, enabled: () => true, perform: () => this.value })
  }

  write(value: T): Promise<void> {
    return this.#scheduler.step({ kind: 'write', object: this.name, enabled: () => true, perform: () => { this.value = value } })
  }

  compareExchange(expected: T, value: T): Promise<T> {
    return this.#scheduler.step({
      kind: 'update',
      object: this.name,
      enabled: () => true,
      perform: () => {
        const held = this.value
        if (held === expected) this.value = value
        return held
      },
    })
  }
}
