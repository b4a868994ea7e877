/** Calls `body` for each of `items`, one after the other, also behind one for which it throws. Throws what it has thrown first. */
export async function inTurn<T>(items: Iterable<T>, body: (item: T) => Promise<void>): Promise<void> {
  const errors: unknown[] = []
  for (const item of items) {
    try {
      await body(item)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}
