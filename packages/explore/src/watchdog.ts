interface Timers {
  setTimeout: (callback: () => void, milliseconds: number) => unknown
}

/** Taken when the module is loaded: later ones may be a test's fake timers, or our own trap. */
const { setTimeout } = globalThis as unknown as Timers

/**
 * Notices a task that awaits something else than an operation. An execution runs in microtasks alone, so when a timer fires in the middle of one, nothing in
 * it is going to go on by itself.
 */
export class Watchdog {
  #stalled: (() => void) | undefined
  #armed = false

  /** From here to {@link rest}, `stalled` is called when a timer can fire. */
  watch(stalled: () => void): void {
    this.#stalled = stalled
    if (this.#armed) return
    this.#armed = true
    setTimeout(() => {
      this.#armed = false
      this.#stalled?.()
    }, 0)
  }

  rest(): void {
    this.#stalled = undefined
  }
}

/** Lets timers and I/O of others have their turn. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0)
  })
}
