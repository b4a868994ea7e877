import type { Interval, IntervalNotifier, IntervalNotifierOps, InvalidateFinish, InvalidateRange } from '@mmu-notifier/core'
import { MmuNotifierError, type Mutex } from '@mmu-notifier/kernel'
import type { World } from './world.ts'

/**
 * The canonical driver in as few steps as possible, one overridable method for each of its duties: wrong variants override one. Its user lock orders `setSeq` and the zap in callbacks
 * against `readRetry` and the programming in readers.
 */
export class Driver<W extends World = World> {
  readonly world: W
  /** The user lock. */
  readonly lock: Mutex
  readonly ops: IntervalNotifierOps = {
    invalidate: (notifier, range, seq) => this.invalidate(notifier, range, seq),
    release: (notifier) => this.release(notifier),
  }
  /** By notifier: it was released. */
  readonly #released = new Set<IntervalNotifier>()

  constructor(world: W, lockClass = 'driver.lock') {
    this.world = world
    this.lock = world.kernel.mutex(lockClass)
  }

  /** In setup: an interval over pages `first` .. `last`. */
  insert(first: number, last: number = first): Promise<IntervalNotifier> {
    return this.world.notifiers.insert(this.world.pagesOf(first, last), this.ops)
  }

  async invalidate(notifier: IntervalNotifier, range: InvalidateRange, seq: number): Promise<boolean | InvalidateFinish> {
    if (!(await this.lock.lockFor(range))) return false
    await notifier.setSeq(seq)
    await this.zap(range.within(notifier))
    await this.lock.unlock()
    if (range.event === 'unmap') await this.cut(range)
    return true
  }

  zap(interval: Interval): Promise<void> {
    return this.world.zap(interval)
  }

  /** Takes away what the device maps of it and removes it, in one section of the user lock: a reader who is under way asks there, and hears of it. */
  unmapAndRemove(notifier: IntervalNotifier): Promise<void> {
    return this.lock.with(async () => {
      await this.zap(notifier)
      await notifier.removeDeferred()
    })
  }

  /** What a munmap leaves of our intervals, as one batch. Nothing by default: most questions are not about it. */
  async cut(_range: InvalidateRange): Promise<void> {
    // overridden
  }

  /** A device fault on `page` for a notifier that the caller holds: the canonical loop. @returns false when the notifier is dying: look for another one */
  async fault(notifier: IntervalNotifier, page: number): Promise<boolean> {
    for (;;) {
      const seq = await notifier.readBegin()
      if (seq < 0) return false
      if (await this.mapIfHolds(notifier, page, seq)) return true
    }
  }

  /** One turn of it: where the device is left to ask again, which another task, or an execution that starts it later, stands for. @returns false when it has to */
  async attempt(notifier: IntervalNotifier, page: number): Promise<boolean> {
    return this.mapIfHolds(notifier, page, await notifier.readBegin())
  }

  /** @returns false when an invalidation has come since `seq` */
  protected async mapIfHolds(notifier: IntervalNotifier, page: number, seq: number): Promise<boolean> {
    const frame = await this.read(page)
    await this.lock.lock()
    const retry = await notifier.readRetry(seq)
    if (!retry && frame !== 0) await this.map(page, frame)
    await this.lock.unlock()
    return !retry
  }

  /** What the CPU page table has for a page. Linux: `hmm_range_fault()`. */
  protected read(page: number): Promise<number> {
    return this.world.read(page)
  }

  /** Programs the device, under the user lock. */
  map(page: number, frame: number): Promise<void> {
    return this.world.program(page, frame)
  }

  /** Finds the interval of a page, and takes no reference: nothing keeps it any more. */
  async find(page: number): Promise<IntervalNotifier | undefined> {
    const { start, last } = this.world.pagesOf(page)
    const tree = await this.world.notifiers.lockTree()
    const found = await tree.find(this.ops, start, last)
    await tree.unlock()
    return found
  }

  /** Finds the interval of a page, and takes a reference before the tree is unlocked. */
  async findAndGet(page: number): Promise<IntervalNotifier | undefined> {
    const { start, last } = this.world.pagesOf(page)
    const tree = await this.world.notifiers.lockTree()
    const found = await tree.find(this.ops, start, last)
    await found?.get()
    await tree.unlock()
    return found
  }

  release(notifier: IntervalNotifier): Promise<void> | void {
    if (this.#released.has(notifier)) throw new MmuNotifierError('EXACTLY_ONCE', `EXACTLY_ONCE  release was called twice`)
    this.#released.add(notifier)
  }

  /** MISS: every device entry lies in an interval of ours that is registered. For `check`. */
  covered(intervals: readonly IntervalNotifier[]): void {
    this.world.device.forEach((entry, page) => {
      const { start, last } = this.world.pagesOf(page)
      if (entry.value === 0 || intervals.some((i) => !i.dying && i.start <= start && last <= i.last)) return
      throw new MmuNotifierError('MISS', `MISS  the device maps page ${page}, which no interval covers`)
    })
  }
}
