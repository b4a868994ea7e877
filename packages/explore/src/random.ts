/** Numbers that look random, the same ones for the same seed: mulberry32 (Tommy Ettinger, public domain). */
export class Random {
  #state: number

  /** @param seed any integer */
  constructor(seed: number) {
    this.#state = seed | 0
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
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}
