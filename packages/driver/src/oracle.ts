import { MmuNotifierError } from '@mmu-notifier/kernel'

/** What an oracle has found. */
export interface Violation {
  readonly oracle: 'STALE' | 'COVER' | 'LEAK'
  /** The page it is about, in bytes, where it is about one. */
  readonly page: number | undefined
  /** One line that begins with the oracle's name and names the page, the device and what went wrong. */
  readonly message: string
}

/** What to do with a violation. */
export type Report = (violation: Violation) => void

/** The default: the violation is thrown, at the very step that shows it. */
export const throwViolation: Report = (violation) => {
  throw new OracleError(violation)
}

/** A violation, thrown. `code` is the oracle. */
export class OracleError extends MmuNotifierError {
  override readonly name: string = 'OracleError'
  readonly violation: Violation

  constructor(violation: Violation) {
    super(violation.oracle, violation.message)
    this.violation = violation
  }
}
