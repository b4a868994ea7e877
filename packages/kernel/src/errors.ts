const MARKER = Symbol.for('@mmu-notifier/error')

/**
 * Every error of this project that is not plain misuse (misuse is a `TypeError` or a `RangeError`).
 *
 * `code` is stable across minor versions: a kernel errno (`EAGAIN`, `EFAULT`, …), the name of an oracle (`LOCKDEP`, `DEADLOCK`,
 * `UAF`, …) or a code that the throwing package documents. The message may change.
 */
export class MmuNotifierError extends Error {
  override readonly name: string = 'MmuNotifierError'
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
Object.defineProperty(MmuNotifierError.prototype, MARKER, { value: true })

/**
 * True for a {@link MmuNotifierError}, also for one that another copy of this package made (never test with `instanceof`).
 * @param code only an error with this code, when given
 */
export function isMmuNotifierError(error: unknown, code?: string): error is MmuNotifierError {
  return typeof error === 'object' && error !== null && MARKER in error && (code === undefined || (error as unknown as MmuNotifierError).code === code)
}

/**
 * True for an error whose code is a kernel errno: what a system call may fail with, and not the finding of an oracle or of the lock
 * validator.
 */
export function isErrno(error: unknown): error is MmuNotifierError {
  return isMmuNotifierError(error) && /^E[A-Z0-9]+$/.test(error.code)
}
