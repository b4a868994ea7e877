import type { Kernel } from '@mmu-notifier/kernel'

/** A small concurrent program. It is run many times, from the beginning each time, so everything that it shares is made in `setup`. */
export interface Scenario<State = unknown> {
  /** Makes what the tasks share. It is not explored: nothing runs beside it. */
  readonly setup: (kernel: Kernel) => State | Promise<State>
  /** The tasks, by name; all start at once. They await marked operations only. */
  readonly tasks: Readonly<Record<string, (state: State, kernel: Kernel) => Promise<void>>>
  /** Looks at the end of every execution; throws when something is wrong. */
  readonly check?: (state: State, kernel: Kernel) => void | Promise<void>
}
