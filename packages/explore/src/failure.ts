import { siteIn } from './sites.ts'

/** Why an execution failed. */
export interface Failure {
  /**
   * `DEADLOCK`, `LIVELOCK`, `LOST_WAKEUP`, `RACE`, `LOCKDEP`, `REFCOUNT`, `NONDETERMINISM`, `FOREIGN`, `MISSING_AWAIT`; `CHECK` when the scenario's check threw, `THROWN` when a task threw
   * an error without a code; else the `code` of what was thrown.
   */
  readonly code: string
  /** Starts with the code. */
  readonly message: string
  /** The task at fault, when it is one. */
  readonly task: string | undefined
  /** What was thrown, when something was. */
  readonly error: unknown
  /** `file:line` of what is wrong, where that is one place and known. */
  readonly site?: string | undefined
  /** Of a race: where the other, plain, access was. */
  readonly otherSite?: string | undefined
}

/** Thrown by {@link assume}. */
export class AssumptionFailed extends Error {
  override readonly name: string = 'AssumptionFailed'
}

/**
 * Drops this execution unless `condition` holds: it is neither counted nor failed. For what the environment guarantees, and for a spin loop that one wants
 * to look at only where it ends at once. Other tasks run to their end first.
 */
export function assume(condition: boolean): asserts condition {
  if (!condition) throw new AssumptionFailed('assume: does not hold in this execution')
}

/** The failure that an error is, thrown by `task` or by the scenario's check. */
export function failureOf(error: unknown, task: string | undefined): Failure {
  const given = typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const code = given ?? (task === undefined ? 'CHECK' : 'THROWN')
  const text = error instanceof Error ? error.message : String(error)
  const message = text.startsWith(code) ? text : `${code}  ${task === undefined ? '' : `task ${task}: `}${text}`
  return { code, message, task, error, site: error instanceof Error ? siteIn(error.stack ?? '') : undefined }
}
