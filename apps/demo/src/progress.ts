import { SingleBar } from 'cli-progress'

/** Nothing is drawn before this many milliseconds. */
const PATIENCE = 1000

/** A progress bar on stderr for what takes longer than a second, when stderr is a terminal. */
export class Progress {
  #bar: SingleBar | undefined
  readonly #since = Date.now()
  readonly #what: string
  readonly #unit: string

  /** @param unit what is counted */
  constructor(what: string, unit = 'line') {
    this.#what = what
    this.#unit = unit
  }

  update(done: number, total: number): void {
    if (!process.stderr.isTTY || Date.now() - this.#since < PATIENCE) return
    if (!this.#bar) {
      this.#bar = new SingleBar({ format: `${this.#what} {bar} {percentage}% | ${this.#unit} {value} of {total}`, stream: process.stderr, hideCursor: true, clearOnComplete: true })
      this.#bar.start(total, done)
    }
    this.#bar.update(done)
  }

  stop(): void {
    this.#bar?.stop()
  }
}
