import { alters } from './access.ts'
import type { Event } from './event.ts'

/** What the operation that is being performed touches: each object once, in the strongest mode, with its state before. */
export class Footprint {
  readonly #objects: number[] = []
  readonly #modes: number[] = []
  readonly #before: unknown[] = []

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
  }

  /** Counts `object` as touched. */
  expect(object: number, mode: number, before: unknown): void {
    this.#objects.push(object)
    this.#modes.push(mode)
    this.#before.push(before)
  }

  /** `object` is touched, for the first time when its state is `before`. */
  touch(object: number, mode: number, before: unknown): void {
    const at = this.#objects.indexOf(object)
    if (at < 0) this.expect(object, mode, before)
    else if (alters(mode)) this.#modes[at] = mode
  }

  /** True when `event` has touched the same. */
  isOf({ objects, modes, before }: Event): boolean {
    if (objects.length !== this.#objects.length) return false
    for (let i = 0; i < objects.length; i++) {
      if (objects[i] !== this.#objects[i] || modes[i] !== this.#modes[i] || !Object.is(before[i], this.#before[i])) return false
    }
    return true
  }

  take(): Pick<Event, 'objects' | 'modes' | 'before'> {
    return { objects: this.#objects.slice(), modes: this.#modes.slice(), before: this.#before.slice() }
  }
}
