import type { Cell, Gfp } from '@mmu-notifier/kernel'
import type { World } from './world.ts'

/** A machine that has run out of memory: who may, reclaims a page of the address space himself, which tells the device. */
export class Pressure {
  readonly #world: World
  readonly #page: number
  /** Pages that nobody uses. */
  readonly #free: Cell<number>

  /** @param page what is reclaimed first, and last */
  constructor(world: World, page = 0) {
    this.#world = world
    this.#page = page
    this.#free = world.kernel.cell('free pages', 0)
  }

  /** @returns false when there is none, and none to be had in that way */
  async alloc(gfp: Gfp): Promise<boolean> {
    const { kernel } = this.#world
    await kernel.alloc(gfp)
    if (await this.#take()) return true
    if (gfp === 'GFP_NOWAIT' || gfp === 'GFP_ATOMIC') return false
    await kernel.reclaim(() => this.#shrink())
    return this.#take()
  }

  async #take(): Promise<boolean> {
    return (await this.#free.update((free) => Math.max(0, free - 1))) > 0
  }

  /** Linux: a shrinker, or the LRU scan that comes to a mapped page. */
  async #shrink(): Promise<void> {
    await this.#world.reclaim(this.#page)
    await this.#free.update((free) => free + 1)
  }
}
