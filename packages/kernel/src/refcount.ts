import { MmuNotifierError } from './errors.ts'
import type { Scheduler } from './scheduler.ts'

/** A reference count that never leaves 0 again. Linux: `refcount_t`. */
export interface Refcount {
  readonly name: string
  /** The value now; a look, not a marked operation. */
  readonly value: number
  /** Takes one more, which one may only do while holding one. Throws REFCOUNT at 0. */
  get(): Promise<void>
  /** @returns false, and takes nothing, at 0 */
  getUnlessZero(): Promise<boolean>
  /** Gives one back; throws REFCOUNT at 0. @returns true for the last one */
  put(): Promise<boolean>
}

export class KernelRefcount implements Refcount {
  readonly name: string
  readonly #scheduler: Scheduler
  #value: number

  constructor(scheduler: Scheduler, name: string, initial: number) {
    if (!Number.isSafeInteger(initial) || initial < 0) throw new RangeError(`refcount ${name}: expected an initial count >= 0, got ${initial}`)
    this.#scheduler = scheduler
    this.name = name
    this.#value = initial
  }

  get value(): number {
    return this.#value
  }

  get state(): number {
    return this.#value
  }

  get(): Promise<void> {
    return this.#update(() => {
      if (this.#value === 0) throw this.#error('get at 0: the object is going or gone')
      this.#value++
    })
  }

  getUnlessZero(): Promise<boolean> {
    return this.#update(() => {
      if (this.#value === 0) return false
      this.#value++
      return true
    })
  }

  put(): Promise<boolean> {
    return this.#update(() => {
      if (this.#value === 0) throw this.#error('put at 0: more puts than gets')
      return --this.#value === 0
    })
  }

  #update<T>(perform: () => T): Promise<T> {
    return this.#scheduler.step({
      kind: 'update',
      object: this.name,
      target: this,
      access: 'write',
      changes: (count) => count !== 0,
      enabled: () => true,
      perform,
    })
  }

  #error(what: string): MmuNotifierError {
    return new MmuNotifierError('REFCOUNT', `REFCOUNT  ${this.name}: ${what}, by task ${this.#scheduler.current.name}`)
  }
}
