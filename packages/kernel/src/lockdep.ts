import { MmuNotifierError } from './errors.ts'
import type { LockOrder } from './lock-order.ts'
import type { Scheduler } from './scheduler.ts'
import type { Task, TaskRecord } from './task.ts'

/** A lock that a task holds. */
export interface HeldLock {
  /** The class: every lock of one name, whatever its instance. Order is checked between classes. */
  readonly lockClass: string
  readonly mode: 'read' | 'write'
  /** The instance. */
  readonly instance: object
  /** Spinlocks forbid sleeping. */
  readonly spins: boolean
}

/** How a lock is taken, when it is not taken plainly. */
export interface How {
  /** A trylock cannot wait, so it orders nothing before itself. */
  readonly tryLock?: boolean
  /** A second lock of a class that the task already holds, taken in an order that the caller guarantees. Linux: `SINGLE_DEPTH_NESTING`. */
  readonly nested?: boolean
  /** A reader that may be taken again by a reader. */
  readonly recursive?: boolean
}

/**
 * The lock validator: who holds what, and the order of lock classes. A cycle of orders is reported when its last edge appears, although
 * nothing has deadlocked. Linux: lockdep.
 */
export class Lockdep {
  readonly #lockOrder: LockOrder | undefined

  /** @param lockOrder undefined to leave the order unchecked */
  constructor(lockOrder: LockOrder | undefined) {
    this.#lockOrder = lockOrder
  }

  /** Checks the order of `lock` against what `task` holds. Call it before waiting for the lock. */
  check(task: Task, lock: HeldLock, how?: How): void {
    for (const held of task.held) {
      if (how?.recursive && held.lockClass === lock.lockClass && held.mode === 'read') continue
      if (held.instance === lock.instance) splat(task, `takes ${lock.lockClass} again, which it already holds for ${held.mode}: it would wait for itself`)
      if (how?.tryLock || !this.#lockOrder) continue
      if (held.lockClass === lock.lockClass) {
        if (how?.nested) continue
        splat(task, `takes a second lock of class ${lock.lockClass}: two tasks doing so in opposite order deadlock`)
      }
      this.#order(task, held.lockClass, lock.lockClass)
    }
  }

  /** @throws LOCKDEP when `task` does not hold `lock`, or not so: a reader unlocks as a reader */
  released(task: TaskRecord, lock: HeldLock): void {
    const { held } = task
    const at = held.lastIndexOf(lock)
    if (at < 0) this.#notHeld(task, lock)
    if (at === held.length - 1) held.pop()
    else held.splice(at, 1)
  }

  /** Asserts that `task` holds `lock`. Linux: `lockdep_assert_held()`. */
  assertHeld(task: Task, lock: object, lockClass: string, mode?: 'write'): void {
    if (task.held.some((held) => held.instance === lock && (mode === undefined || held.mode === mode))) return
    splat(task, `must hold ${lockClass}${mode ? ` for ${mode}` : ''} here`)
  }

  #notHeld(task: Task, { instance, lockClass, mode }: HeldLock): never {
    const other = task.held.find((held) => held.instance === instance && held.mode !== mode)
    splat(task, other ? `unlocks ${lockClass} for ${mode}, which it holds for ${other.mode}` : `unlocks ${lockClass}, which it does not hold`)
  }

  #order(task: Task, first: string, then: string): void {
    const back = this.#lockOrder?.add(first, then, task.name)
    if (!back) return
    const chain = back.map((edge) => `\n  ${edge}`).join('')
    splat(task, `takes ${then} while it holds ${first}, but the other order exists:${chain}\n  ${first} -> ${then} (now, by ${task.name})`)
  }
}

/**
 * Asserts that `task` may sleep here. Linux: `might_sleep()`.
 * @param on the name of what it sleeps on, if it has one
 */
export function mightSleep(task: Task, what: string, on?: string): void {
  for (const { spins, lockClass } of task.held) if (spins) splat(task, `sleeps in ${what}${on === undefined ? '' : ` ${on}`} while it holds the spinlock ${lockClass}`)
}

/** {@link mightSleep} where an operation starts: what to await in its place when the current task may not sleep, or undefined. */
export function refusedSleep(scheduler: Scheduler, what: string, on?: string): Promise<never> | undefined {
  try {
    mightSleep(scheduler.current, what, on)
    return undefined
  } catch (error) {
    return scheduler.failed(error)
  }
}

/** @throws LOCKDEP, with what `task` holds */
export function splat(task: Task, what: string): never {
  const held = task.held.map((lock) => `${lock.lockClass}${lock.mode === 'read' ? ' (read)' : ''}`)
  throw new LockdepError(`task ${task.name} ${what}${held.length > 0 ? `\n  holds: ${held.join(', ')}` : ''}`)
}

/** A rule of locking or of context was broken: the message names the rule, the task and the locks. `code` is `LOCKDEP`. */
export class LockdepError extends MmuNotifierError {
  override readonly name: string = 'LockdepError'

  constructor(message: string) {
    super('LOCKDEP', `LOCKDEP  ${message}`)
  }
}
