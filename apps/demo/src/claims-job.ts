import type { Row } from '@mmu-notifier/claims'

/** One variant of one claim: explore it, or repeat one schedule of it. */
export interface ClaimJob {
  readonly id: string
  readonly name: string
  readonly replay: string | undefined
}

export type ClaimMessage =
  | { readonly kind: 'row'; readonly row: Row }
  | { readonly kind: 'replayed'; readonly failed: boolean; readonly report: string }
  /** The caller has to change something: one line. */
  | { readonly kind: 'usage'; readonly message: string }
