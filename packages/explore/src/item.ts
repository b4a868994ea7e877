/** The item at an index at which there is one. Not where it has to be fast: all kinds of arrays come by here. */
export function item<T>(items: ArrayLike<T>, index: number): T {
  return items[index] as T
}
