/**
 * Numbers tasks and objects alike in every execution, whatever the order in which they are made: by who made them, and as how many-th.
 */
export class Identities {
  readonly #ids = new Map<number, number>()
  readonly names: string[] = []

  /** @param maker the number of the task that makes it, 0 for main */
  of(maker: number, count: number, name: string): number {
    const key = maker * 2 ** 24 + count
    const known = this.#ids.get(key)
    if (known !== undefined) {
      this.names[known] = name
      return known
    }
    const id = this.names.length
    this.#ids.set(key, id)
    this.names.push(name)
    return id
  }
}
