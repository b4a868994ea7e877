/** Numbers that look random, the same ones for the same seed: mulberry32 (Tommy Ettinger, public domain). */
export class Random {
  /** A typed array, so that it is no boxed double. */
  readonly #state = new Int32Array(1)

  /** @param seed any integer */
  constructor(seed: number) {
    this.#state[0] = seed
  }

  /** 0 <= x < 1 */
  next(): number {
    return this.#word() / 2 ** 32
  }

  /** An integer, 0 <= x < n; n at most 2^31. */
  below(n: number): number {
    return ((this.#word() / 2 ** 32) * n) | 0
  }

  #word(): number {
    const state = ((this.#state[0] as number) + 0x6d2b79f5) | 0
    this.#state[0] = state
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}
