/**
 * A part of `items` that `fails` still, and no longer does when any single one is left out (ddmin: Zeller, Hildebrandt, Simplifying and Isolating
 * Failure-Inducing Input, TSE 2002).
 */
export async function minimise<T>(items: readonly T[], fails: (items: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
  let rest = items
  let parts = 2
  while (rest.length > 0) {
    const size = Math.ceil(rest.length / parts)
    let smaller: readonly T[] | undefined
    for (let from = 0; from < rest.length && !smaller; from += size) {
      const without = [...rest.slice(0, from), ...rest.slice(from + size)]
      if (await fails(without)) smaller = without
    }
    if (smaller) {
      rest = smaller
      parts = Math.max(2, parts - 1)
    } else if (size === 1) return rest
    else parts = Math.min(rest.length, 2 * parts)
  }
  return rest
}
