/** Where this package's modules are: a checker tells them from a program's. */
export const moduleUrl: string = (import.meta as { readonly url?: string }).url ?? ''

/** Where a checker is told of what runs outside of its reach. */
export interface FreeRunning {
  /** Is called where an operation of a freely running kernel starts, with its kind and object. */
  told: ((what: string) => void) | undefined
}

const SHARED = Symbol.for('@mmu-notifier/kernel.free-running.v1')

/** The state is the program's and not this module's: a scenario may stand on another copy of it than its checker. */
export const freeRunning: FreeRunning = ((globalThis as Record<symbol, unknown>)[SHARED] ??= { told: undefined }) as FreeRunning
