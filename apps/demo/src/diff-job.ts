import type { DiffReport } from './diff.ts'

/** What the thread is to do. */
export interface DiffJob {
  readonly files: readonly string[]
  /** Say the lines too, not the report alone. */
  readonly lines: boolean
}

/** What it says. */
export type DiffMessage =
  | { readonly kind: 'progress'; readonly programs: number }
  | { readonly kind: 'line'; readonly line: string }
  | { readonly kind: 'report'; readonly report: DiffReport }
  /** The caller has to change something: one line. */
  | { readonly kind: 'usage'; readonly message: string }
