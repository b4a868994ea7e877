import { alters } from './access.ts'
import { item } from './item.ts'

const UNTOUCHED = -1

/** What the operation that is being performed touches: each object once, in the strongest mode, with its state before. */
export class Footprint {
  readonly #objects: number[] = []
  readonly #modes: number[] = []
  readonly #before: unknown[] = []
  /** The mode in which the object was touched, or {@link UNTOUCHED} for one that is only counted as touched. */
  readonly #touched: number[] = []

  get objects(): readonly number[] {
    return this.#objects
  }

  get modes(): readonly number[] {
    return this.#modes
  }

  clear(): void {
    this.#objects.length = 0
    this.#modes.length = 0
    this.#before.length = 0
    this.#touched.length = 0
  }

  /** Counts `object` as touched. */
  expect(object: number, mode: number, before: unknown): void {
    this.#objects.push(object)
    this.#modes.push(mode)
    this.#before.push(before)
    this.#touched.push(UNTOUCHED)
  }

  /** `object` is touched, for the first time when its state is `before`. */
  touch(object: number, mode: number, before: unknown): void {
    let at = this.#objects.indexOf(object)
    if (at < 0) {
      at = this.#objects.length
      this.expect(object, mode, before)
    }
    if (alters(mode)) this.#modes[at] = mode
    if (this.#touched[at] === UNTOUCHED || alters(mode)) this.#touched[at] = mode
  }

  /** Calls `visit` for each object that was touched indeed. @returns the first result that is not undefined */
  find<T>(visit: (object: number, writes: boolean) => T | undefined): T | undefined {
    for (let i = 0; i < this.#objects.length; i++) {
      const mode = item(this.#touched, i)
      const result = mode === UNTOUCHED ? undefined : visit(item(this.#objects, i), alters(mode))
      if (result !== undefined) return result
    }
    return undefined
  }

  take(): { readonly objects: readonly number[]; readonly modes: readonly number[]; readonly before: readonly unknown[] } {
    return { objects: this.#objects.slice(), modes: this.#modes.slice(), before: this.#before.slice() }
  }
}
