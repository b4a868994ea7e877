interface Timers {
  setTimeout: (callback: () => void, milliseconds: number) => unknown
}

/** Taken when the module is loaded: later ones may be a test's fake timers, or our own trap. */
const { setTimeout } = globalThis as unknown as Timers
export const now: () => number = Date.now

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

/** Milliseconds without a turn for others. */
const BREATH = 50

/** Lets timers and I/O of others have their turn now and then. */
export class Breath {
  #last = now()

  get due(): boolean {
    return now() - this.#last > BREATH
  }

  async take(): Promise<void> {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 0)
    })
    this.#last = now()
  }
}
