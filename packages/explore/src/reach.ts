import { alters } from './access.ts'
import type { Footprint } from './footprint.ts'

/**
 * What an operation has been seen to touch beside its own target, in any execution: the cells of a section or a predicate.
 *
 * Which cells a section touches can depend on what it finds in them, and then two operations that commute in one state do not in another. So each
 * counts as touching all that it ever touched. When that grows, a reduction that was planned with less begins again.
 */
export class Reach {
  /** By task, index among its events, and target. */
  readonly #touched = new Map<number, { readonly objects: number[]; readonly modes: number[] }>()
  /** Grows with what is known. */
  version = 0

  get(task: number, index: number, target: number): { readonly objects: readonly number[]; readonly modes: readonly number[] } | undefined {
    return this.#touched.get(keyOf(task, index, target))
  }

  /** The operation touched all of `footprint`; the first is its own target. */
  learn(task: number, index: number, { size, objects, modes }: Footprint): void {
    if (size < 2) return
    const key = keyOf(task, index, objects[0] as number)
    let touched = this.#touched.get(key)
    if (!touched) this.#touched.set(key, (touched = { objects: [], modes: [] }))
    for (let i = 1; i < size; i++) {
      const object = objects[i] as number
      const mode = modes[i] as number
      const at = touched.objects.indexOf(object)
      if (at < 0) {
        touched.objects.push(object)
        touched.modes.push(mode)
        this.version++
      } else if (alters(mode) && !alters(touched.modes[at] as number)) {
        touched.modes[at] = mode
        this.version++
      }
    }
  }
}

function keyOf(task: number, index: number, target: number): number {
  return (task * 2 ** 20 + index) * 2 ** 20 + target
}
