import type { Exploration, ExploreOptions, Counterexample } from '@mmu-notifier/explore'

/** What a worker is to do. */
export interface Job {
  /** `file:` URL of the module. */
  readonly url: string
  /** The export that is the scenario; undefined for the default export or the only one there is. */
  readonly scenario: string | undefined
  readonly options: Omit<ExploreOptions, 'progress'>
  /** Only the execution that this token stands for. */
  readonly replay: string | undefined
}

/** What it says. */
export type Message =
  | { readonly kind: 'progress'; readonly executions: number }
  | { readonly kind: 'explored'; readonly exploration: Exploration }
  | { readonly kind: 'replayed'; readonly counterexample: Counterexample | undefined; readonly report: string }
  /** The caller has to change something: one line. */
  | { readonly kind: 'usage'; readonly message: string }
