import { hex } from '@mmu-notifier/core'
import { MmuNotifierError } from '@mmu-notifier/kernel'

/** The errnos that system calls and accesses fail with: `code` of the error. */
export type Errno = 'EACCES' | 'EAGAIN' | 'EBADF' | 'EEXIST' | 'EFAULT' | 'EINVAL' | 'ENOMEM' | 'EPERM' | 'ESRCH'

/** A failed system call or access; the message begins with what failed. */
export function errno(code: Errno, message: string): MmuNotifierError {
  return new MmuNotifierError(code, `${code}  ${message}`)
}

/** @throws RangeError unless every value is a whole number in 0 .. 2^53 - 1: what stands for an unsigned long here */
export function checkUnsigned(call: string, args: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(args)) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${call}: expected ${name} in 0 .. 2^53 - 1, got ${hex(value)}`)
  }
}
