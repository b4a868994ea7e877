import { isErrno, MmuNotifierError, type Cell, type Kernel, type SpinLock, type Srcu } from '@mmu-notifier/kernel'
import { inTurn } from './in-turn.ts'
import type { NotifiedMm } from './notified-mm.ts'
import type { InvalidateRange } from './ops.ts'
import { assertNotInCallback } from './rules.ts'

/**
 * A notifier of a whole address space: every invalidation, no interval, no sequence. Its start comes after the callbacks of all intervals, its end after theirs.
 * Linux: `struct mmu_notifier_ops`.
 */
export interface MmuNotifierOps {
  /**
   * The mappings of `range` are about to change.
   * @returns false only when the range is not blockable; then nothing was done, and there is no `invalidateRangeEnd` in these ops
   */
  invalidateRangeStart?(range: InvalidateRange): Promise<boolean>
  /** They have changed; also after a start that another notifier refused. */
  invalidateRangeEnd?(range: InvalidateRange): Promise<void>
  /** The address space ends, or the notifier was unregistered before: drop every translation. It may be called twice, and by two tasks at once. */
  release?(): Promise<void>
}

/** A registered {@link MmuNotifierOps}. Linux: `struct mmu_notifier`. */
export interface MmuNotifier {
  readonly ops: MmuNotifierOps
  /**
   * Calls `release` unless the address space has, and waits until no callback runs. Not in a callback, not under a lock that one takes. Linux:
   * `mmu_notifier_unregister()`.
   */
  unregister(): Promise<void>
}

/** The classic notifiers of one address space, walked under SRCU. */
export class ClassicNotifiers {
  readonly #kernel: Kernel
  readonly #mm: NotifiedMm
  readonly #lock: SpinLock
  readonly #srcu: Srcu
  /** Changes under the spinlock; who walks it sees it as it was when he began. */
  readonly #list: Cell<readonly MmuNotifier[]>
  /** Becomes true with the first one, under the locks that keep invalidations out; never false again. */
  readonly #any: Cell<boolean>

  constructor(kernel: Kernel, mm: NotifiedMm, lock: SpinLock) {
    this.#kernel = kernel
    this.#mm = mm
    this.#lock = lock
    this.#srcu = kernel.srcu('mmu_notifier_srcu')
    this.#list = kernel.cell<readonly MmuNotifier[]>('mmu_notifier_list', [])
    this.#any = kernel.cell('mmu_notifier_list in use', false)
  }

  /** With the mmap lock and the rmap lock held for write. */
  async register(ops: MmuNotifierOps): Promise<MmuNotifier> {
    const notifier: MmuNotifier = { ops, unregister: () => this.#unregister(notifier) }
    await this.#mm.mmgrab()
    await this.#lock.section(() => { this.#list.value = [...this.#list.value, notifier] })
    await this.#any.write(true)
    return notifier
  }

  /** All are called, also behind one that refuses, or throws. @returns false when one refused. Unless it is true, those who heard of the start have heard of the end */
  async start(range: InvalidateRange): Promise<boolean> {
    if (!this.#any.value) return true
    return this.#walk(async (notifiers) => {
      const refused: MmuNotifier[] = []
      let started = false
      try {
        await inTurn(notifiers, async (notifier) => {
          if ((await answerOf(range, async () => notifier.ops.invalidateRangeStart?.(range))) === false) refused.push(notifier)
        })
        if (refused.length > 0 && range.blockable) throw new MmuNotifierError('WARN', `WARN  a notifier refused the blockable ${range.event}`)
        if (refused.some(({ ops }) => 'invalidateRangeEnd' in ops)) throw new MmuNotifierError('WARN', 'WARN  a notifier that refuses a range must not have an invalidateRangeEnd')
        started = refused.length === 0
      } finally {
        if (!started) await endAll(notifiers, range)
      }
      return started
    })
  }

  async end(range: InvalidateRange): Promise<void> {
    if (!this.#any.value) return
    await this.#walk((notifiers) => endAll(notifiers, range))
  }

  /** The address space ends. */
  async release(): Promise<void> {
    if (!this.#any.value) return
    const told = (): Promise<void> =>
      this.#walk((notifiers) =>
        inTurn(notifiers, async (notifier) => {
          await notifier.ops.release?.()
          await this.#unlink(notifier)
        }),
      )
    await inTurn([told, () => this.#srcu.synchronize()], (step) => step())
  }

  async #unregister(notifier: MmuNotifier): Promise<void> {
    this.#kernel.mightSleep('unregister')
    assertNotInCallback(this.#kernel, 'unregister', 'unregister')
    await this.#walk(async (notifiers) => {
      if (notifiers.includes(notifier)) await notifier.ops.release?.()
    })
    await this.#unlink(notifier)
    await this.#srcu.synchronize()
    await this.#mm.mmdrop()
  }

  async #walk<T>(body: (notifiers: readonly MmuNotifier[]) => Promise<T>): Promise<T> {
    const section = await this.#srcu.readLock()
    try {
      return await body(await this.#list.read())
    } finally {
      await this.#srcu.readUnlock(section)
    }
  }

  async #unlink(notifier: MmuNotifier): Promise<void> {
    await this.#lock.section(() => { this.#list.value = this.#list.value.filter((other) => other !== notifier) })
  }
}

function endAll(notifiers: readonly MmuNotifier[], range: InvalidateRange): Promise<void> {
  return inTurn(notifiers, ({ ops }) => answerOf(range, async () => ops.invalidateRangeEnd?.(range)))
}

/** What a callback of a range answers. Its errno would be taken for that of the system call that invalidates: it is a WARN. */
export async function answerOf<T>({ event }: InvalidateRange, callback: () => Promise<T>): Promise<T> {
  try {
    return await callback()
  } catch (error) {
    if (!isErrno(error)) throw error
    throw new MmuNotifierError('WARN', `WARN  a callback of ${event} threw ${error.message}`, { cause: error })
  }
}
