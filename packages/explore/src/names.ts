/** Names that occur nowhere in a module, neither declared nor used, so that what is inserted under them can neither hide nor be hidden. */
export class Names {
  readonly #taken: Set<string>
  readonly #fixed = new Map<string, string>()

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken)
  }

  /** @returns `wish`, with a number behind it if it is taken; it is then */
  fresh(wish: string): string {
    let name = wish
    for (let count = 1; this.#taken.has(name); count++) name = `${wish}${count}`
    this.#taken.add(name)
    return name
  }

  /** @returns the same fresh name for the same wish */
  fixed(wish: string): string {
    let name = this.#fixed.get(wish)
    if (name === undefined) this.#fixed.set(wish, (name = this.fresh(wish)))
    return name
  }
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u

/** The name of what a function called `name` is compiled to; the one that stack traces show. */
export function taskName(name: string | undefined): string {
  return name !== undefined && IDENTIFIER.test(name) ? `${name}$task` : 'anonymous$task'
}
