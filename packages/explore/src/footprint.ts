import { alters } from './access.ts'
import type { Event } from './event.ts'

/** What the operation that is being performed touches: each object once, in the strongest mode, with its state before. */
export class Footprint {
  /** How many objects: so many of each of the arrays, which are not made anew for each operation. */
  size = 0
  readonly objects: number[] = []
  readonly modes: number[] = []
  readonly #before: unknown[] = []

  clear(): void {
    this.size = 0
  }

  /** Counts `object` as touched. */
  expect(object: number, mode: number, before: unknown): void {
    const at = this.size++
    this.objects[at] = object
    this.modes[at] = mode
    this.#before[at] = before
  }

  /** `object` is touched, for the first time when its state is `before`. */
  touch(object: number, mode: number, before: unknown): void {
    for (let i = 0; i < this.size; i++) {
      if (this.objects[i] !== object) continue
      if (alters(mode)) this.modes[i] = mode
      return
    }
    this.expect(object, mode, before)
  }

  /** True when `event` has touched the same. */
  isOf({ objects, modes, before }: Event): boolean {
    if (objects.length !== this.size) return false
    for (let i = 0; i < objects.length; i++) {
      if (objects[i] !== this.objects[i] || modes[i] !== this.modes[i] || !Object.is(before[i], this.#before[i])) return false
    }
    return true
  }

  take(): Pick<Event, 'objects' | 'modes' | 'before'> {
    return { objects: this.objects.slice(0, this.size), modes: this.modes.slice(0, this.size), before: this.#before.slice(0, this.size) }
  }
}
