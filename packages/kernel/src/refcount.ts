import { MmuNotifierError } from './errors.ts'
import { operation, type Operation, type Scheduler, type Target } from './scheduler.ts'

/** A reference count that never leaves 0 again. Linux: `refcount_t`. */
export interface Refcount {
  readonly name: string
  /** The value now. Plain access, for code that is ordered against every change (inside a section, say); not a step of its own. */
  readonly value: number
  /** Takes one more, which one may only do while holding one. Throws REFCOUNT at 0. */
  get(): Promise<void>
  /** @returns false, and takes nothing, at 0 */
  getUnlessZero(): Promise<boolean>
  /** Gives one back; throws REFCOUNT at 0. @returns true for the last one */
  put(): Promise<boolean>
}

export class KernelRefcount implements Refcount, Target {
  id = 0
  readonly name: string
  readonly scheduler: Scheduler
  state: number

  constructor(scheduler: Scheduler, name: string, initial: number) {
    if (!Number.isSafeInteger(initial) || initial < 0) throw new RangeError(`refcount ${name}: expected an initial count >= 0, got ${initial}`)
    this.scheduler = scheduler
    this.name = name
    this.state = initial
  }

  get value(): number {
    this.scheduler.touched?.(this, 'read')
    return this.state
  }

  get(): Promise<void> {
    return this.scheduler.step(GET, this, undefined, undefined)
  }

  getUnlessZero(): Promise<boolean> {
    return this.scheduler.step(GET_UNLESS_ZERO, this, undefined, undefined)
  }

  put(): Promise<boolean> {
    return this.scheduler.step(PUT, this, undefined, undefined)
  }

  /** @throws REFCOUNT */
  mustBePositive(what: string): void {
    if (this.state > 0) return
    throw new MmuNotifierError('REFCOUNT', `REFCOUNT  ${this.name}: ${what}, by task ${this.scheduler.current.name}`)
  }
}

const notZero = (count: unknown): boolean => count !== 0

const GET: Operation<KernelRefcount, undefined, undefined, void> = operation({
  kind: 'update',
  access: 'write',
  changes: notZero,
  perform(count) {
    count.mustBePositive('get at 0: the object is going or gone')
    count.state++
  },
})

const GET_UNLESS_ZERO: Operation<KernelRefcount, undefined, undefined, boolean> = operation({
  kind: 'update',
  access: 'write',
  changes: notZero,
  perform(count) {
    if (count.state === 0) return false
    count.state++
    return true
  },
})

const PUT: Operation<KernelRefcount, undefined, undefined, boolean> = operation({
  kind: 'update',
  access: 'write',
  changes: notZero,
  perform(count) {
    count.mustBePositive('put at 0: more puts than gets')
    return --count.state === 0
  },
})
