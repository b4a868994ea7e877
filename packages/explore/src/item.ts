/** The item at an index at which there is one. */
export function item<T>(items: ArrayLike<T>, index: number): T {
  return items[index] as T
}
