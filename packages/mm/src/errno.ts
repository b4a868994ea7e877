import { hex } from '@mmu-notifier/core'
import { MmuNotifierError } from '@mmu-notifier/kernel'

/** The errnos that system calls, accesses and devices fail with: `code` of the error. */
export type Errno = 'EACCES' | 'EAGAIN' | 'EBADF' | 'EBUSY' | 'EEXIST' | 'EFAULT' | 'EINVAL' | 'ENOENT' | 'ENOMEM' | 'EPERM' | 'ESRCH'

/** A failed system call or access; the message begins with what failed. */
export function errno(code: Errno, message: string): MmuNotifierError {
  return new MmuNotifierError(code, `${code}  ${message}`)
}

export type Signal = 'SIGSEGV' | 'SIGBUS'

/** An access for which Linux sends a signal: EFAULT to whoever is told of it by an error. */
export class AccessFault extends MmuNotifierError {
  readonly signal: Signal
  /** SIGSEGV: 1 nothing is mapped there, 2 the area does not allow it. SIGBUS: 2 behind the end of the file, or the page cannot be brought. Linux: `si_code`. */
  readonly signalCode: number
  /** Of the access, or of its page. Linux: `si_addr`. */
  readonly address: number

  /** @param cause what a driver has thrown */
  constructor(message: string, address: number, signal: Signal, signalCode: number, cause?: unknown) {
    super('EFAULT', `EFAULT  ${message} (${signal})`, cause === undefined ? undefined : { cause })
    this.address = address
    this.signal = signal
    this.signalCode = signalCode
  }
}

/** The signal that an error of `read`, `write` or `fault` stands for, or undefined: also for an error of another copy of this package. */
export function signalOf(error: unknown): { readonly signal: Signal; readonly code: number } | undefined {
  if (typeof error !== 'object' || error === null || !('signal' in error && 'signalCode' in error)) return undefined
  return { signal: error.signal as Signal, code: error.signalCode as number }
}

/** @throws RangeError unless every value is a whole number in 0 .. 2^53 - 1: what stands for an unsigned long here */
export function checkUnsigned(call: string, args: Readonly<Record<string, number>>): void {
  for (const name in args) {
    const value = args[name]
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${call}: expected ${name} in 0 .. 2^53 - 1, got ${hex(value)}`)
  }
}
