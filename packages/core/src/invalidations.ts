import { MmuNotifierError, type Cell, type Kernel, type LockMap, type Memory, type SpinLock, type WaitQueue, type WorkQueue } from '@mmu-notifier/kernel'
import { answerOf, ClassicNotifiers } from './classic.ts'
import { GONE, type Applied } from './entry.ts'
import { inTurn } from './in-turn.ts'
import type { Notifier } from './notifier.ts'
import type { NotifiedMm } from './notified-mm.ts'
import type { InvalidateFinish } from './ops.ts'
import { Protocol } from './protocol.ts'
import type { Range } from './range.ts'
import { RANGE_START_MAP } from './rules.ts'

/** Whose callback has refused a range. */
type Refusal = 'interval' | 'classic' | undefined

/** What an invalidation does between the critical sections of {@link Protocol}: whom it calls, wakes and releases, in which order. */
export class Invalidations {
  readonly kernel: Kernel
  readonly mm: NotifiedMm
  /** Innermost; around every call of `protocol`, and never across a callback. */
  readonly lock: SpinLock
  readonly map: LockMap
  readonly queue: WaitQueue
  /** Counts the changes of the tree. */
  readonly treeVersion: Cell<number>
  readonly protocol: Protocol<Notifier>
  readonly classic: ClassicNotifiers
  /** This object's: freed with the last `mmdrop`. */
  readonly memory: Memory
  /** Registered, and neither released nor removed. */
  outstanding = 0
  /** Becomes true with the first interval, under the locks that keep invalidations out; never false again. Linux: `has_itree`. */
  readonly intervals: Cell<boolean>
  #worker: WorkQueue | undefined

  constructor(kernel: Kernel, mm: NotifiedMm) {
    this.kernel = kernel
    this.mm = mm
    this.lock = kernel.spinLock('mmu_notifier_subscriptions_lock')
    this.map = kernel.lockMap(RANGE_START_MAP)
    this.queue = kernel.waitQueue('mmu_notifier_subscriptions_wq')
    this.treeVersion = kernel.cell('mmu_notifier_itree', 0)
    this.protocol = this.createProtocol()
    this.classic = new ClassicNotifiers(kernel, mm, this.lock)
    this.memory = kernel.memory(`the subscriptions of ${mm.name}`)
    this.intervals = kernel.cell(`has_itree of ${mm.name}`, false)
  }

  /** @returns false when it was refused: then nothing was started */
  async start(range: Range): Promise<boolean> {
    this.memory.use('invalidateRangeStart')
    if (range.blockable) this.kernel.mightSleep('invalidateRangeStart')
    this.map.acquire('write')
    let refused: Refusal
    try {
      refused = await this.tell(range)
    } catch (error) {
      await this.endIntervals(range)
      throw error
    }
    if (refused === 'interval') await this.endIntervals(range)
    else if (refused === 'classic') await this.refusedByClassic(range)
    this.kernel.trace('mmu_notifier:range_started', range, this.mm.notifiers, refused === undefined)
    return refused === undefined
  }

  async end(range: Range): Promise<void> {
    this.memory.use('invalidateRangeEnd')
    if (range.ended) throw new TypeError(`the invalidation of ${range.toString()} has ended already`)
    try {
      await this.endIntervals(range)
    } finally {
      await this.classic.end(range)
    }
  }

  /** The address space ends: the last invalidation that finds its page tables. */
  async release(range: Range): Promise<void> {
    this.memory.use('release')
    this.map.acquire('write')
    const tell = async (): Promise<void> => {
      try {
        await this.startIntervals(range)
      } finally {
        this.map.release()
      }
    }
    await inTurn([tell, () => this.endIntervals(range), () => this.classic.release()], (step) => step())
  }

  /** Calls everybody whom the range concerns, and then gives back the map, which is not held where a range ends: a release is no callback of it. @returns who refused */
  protected async tell(range: Range): Promise<Refusal> {
    try {
      if (!(await this.startIntervals(range))) return 'interval'
      return (await this.classic.start(range)) ? undefined : 'classic'
    } finally {
      this.map.release()
    }
  }

  protected async startIntervals(range: Range): Promise<boolean> {
    if (!this.intervals.value) {
      this.kernel.trace('mmu_notifier:range_start', range, this.mm.notifiers)
      return true
    }
    const first = await this.lock.section(() => {
      const hit = this.protocol.start(range)
      range.seq = this.protocol.seq.value
      this.kernel.trace('mmu_notifier:range_start', range, this.mm.notifiers)
      this.kernel.note(() => `start ${range.event} ${range.toString()}: S = ${range.seq}${hit ? '' : ', no interval'}`)
      return hit
    })
    if (!first) return true
    const finishes: InvalidateFinish[] = []
    let accepted = false
    const walk = async (): Promise<void> => { accepted = await this.walk(first, range, finishes) }
    await inTurn([walk, () => this.finish(finishes, range)], (step) => step())
    return accepted
  }

  /**
   * Outside of the spinlock, because callbacks may sleep: a hit has frozen the tree. A range that may block is told to all, whatever one of them does: the mappings may be past saving.
   * @returns false behind the first one that refuses
   */
  protected async walk(first: Notifier, range: Range, finishes: InvalidateFinish[]): Promise<boolean> {
    const errors: unknown[] = []
    for (let notifier: Notifier | undefined = first; notifier; notifier = await this.next(notifier, range)) {
      try {
        const answer = await this.call(notifier, range)
        if (typeof answer === 'function') finishes.push(answer)
        else if (!answer && !range.blockable) return false
        else if (!answer) throw new MmuNotifierError('WARN', `WARN  a callback refused the blockable ${range.event} of ${range.toString()}`)
      } catch (error) {
        if (!range.blockable) throw error
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
    return true
  }

  protected async next(notifier: Notifier, range: Range): Promise<Notifier | undefined> {
    await this.treeVersion.read()
    notifier.assertAlive('the walk of an invalidation')
    return this.protocol.next(notifier, range)
  }

  protected async call(notifier: Notifier, range: Range): Promise<boolean | InvalidateFinish> {
    notifier.assertAlive('the walk of an invalidation')
    this.kernel.trace('mmu_notifier:invalidate', notifier, range)
    const answer = await answerOf(range, () => notifier.ops.invalidate(notifier, range, range.seq))
    if (!isAnswer(answer)) throw new TypeError(`invalidate of ${notifier.toString()} returned ${String(answer)}: expected true, false where the range may not block, or the function of the second pass`)
    this.kernel.trace('mmu_notifier:invalidated', notifier, range, answer !== false, typeof answer === 'function')
    return answer
  }

  /** The second pass: all devices work at once on what the first one has started. Also when somebody refused, or threw. */
  protected async finish(finishes: readonly InvalidateFinish[], range: Range): Promise<void> {
    await inTurn(finishes, async (finish) => {
      await answerOf(range, finish)
      this.kernel.trace('mmu_notifier:finish', range)
    })
  }

  /** Nobody will end a range that was not started. Linux leaves this out: see claim MAIN-1. */
  protected refusedByClassic(range: Range): Promise<void> {
    return this.endIntervals(range)
  }

  protected async endIntervals(range: Range): Promise<void> {
    range.ended = true
    range.tree.end()
    if (this.intervals.value) await this.settle(await this.endPeriod(range))
    else this.kernel.trace('mmu_notifier:range_end', range, this.mm.notifiers)
  }

  /** @param range undefined for a tree lock */
  protected endPeriod(range: Range | undefined): Promise<Applied<Notifier> | undefined> {
    return this.lock.section(() => {
      if (range) this.kernel.trace('mmu_notifier:range_end', range, this.mm.notifiers)
      else this.kernel.trace('mmu_notifier:tree_unlock', this.mm.notifiers)
      const ended = this.protocol.end()
      this.kernel.note(() => `${range ? `end ${range.event}` : 'unlock tree'}: S = ${this.protocol.seq.value}${ended ? applied(ended) : `, ${this.protocol.active} open`}`)
      if (ended && ended.applied.length > 0) this.kernel.trace('mmu_notifier:apply', ended.applied)
      return ended
    })
  }

  /** The waiters first, so that a long release does not delay a reader. Who is still to be released keeps the address space until then. */
  protected async settle(ended: Applied<Notifier> | undefined): Promise<void> {
    if (!ended) return
    await this.queue.wakeAll()
    await this.releaseAll(ended.released)
  }

  protected async releaseAll(released: readonly Notifier[]): Promise<void> {
    await inTurn(released, async (notifier) => {
      if (notifier.ops.releaseInWorker) await this.worker.queue(() => this.releaseOne(notifier))
      else await this.releaseOne(notifier)
    })
  }

  protected async releaseOne(notifier: Notifier): Promise<void> {
    this.kernel.trace('mmu_notifier:release', notifier)
    try {
      await notifier.ops.release?.(notifier)
    } finally {
      if (!notifier.memory.freed) notifier.memory.free()
      this.outstanding--
      await this.released(notifier)
    }
  }

  /** `synchronize` may go on, and after that the address space may go. */
  protected async released(notifier: Notifier): Promise<void> {
    await this.lock.section(() => {
      notifier.seq.value = GONE
      this.protocol.leaving.delete(notifier)
    })
    await this.queue.wakeAll()
    await this.mm.mmdrop()
  }

  protected get worker(): WorkQueue {
    return (this.#worker ??= this.kernel.workQueue('mmu_notifier_release'))
  }

  protected createProtocol(): Protocol<Notifier> {
    return new Protocol<Notifier>(this.kernel.cell('mmu_notifier_seq', 2), this.treeVersion)
  }
}

function applied({ applied: all }: Applied<Notifier>): string {
  return all.map((notifier) => `, ${notifier.toString()} ${notifier.phase === 'live' ? 'in' : 'out'}`).join('')
}

function isAnswer(answer: unknown): boolean {
  return typeof answer === 'boolean' || typeof answer === 'function'
}
