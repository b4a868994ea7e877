import { MmuNotifierError, type Kernel, type Refcount, type RwSemaphore } from '@mmu-notifier/kernel'
import { inTurn } from './in-turn.ts'
import { Operations } from './operations.ts'
import { assertNotInCallback } from './rules.ts'
import { NotifierSubscriptions } from './subscriptions.ts'

export interface NotifiedMmOptions {
  /** Unmaps everything and frees the page tables, when the last user has gone and every notifier was told. Linux: the rest of `exit_mmap()`. */
  readonly teardown?: () => Promise<void>
  /** The steps of the protocol; for checkers that break one. */
  readonly operations?: (kernel: Kernel, mm: NotifiedMm) => Operations
}

/**
 * What notifiers know of an address space: who uses it, who holds its memory, and the locks under which its mappings change. Linux: these fields of `struct mm_struct`.
 *
 * Whoever invalidates holds `mmapLock` or `rmapLock`, for read or write: the first registration takes both, so that no invalidation is half seen.
 */
export class NotifiedMm {
  readonly name: string
  readonly kernel: Kernel
  /** Users of the mappings; at 0 they are torn down, for ever. Linux: `mm_users`. */
  readonly users: Refcount
  /** Holders of this object: all users together, and each registered notifier. Linux: `mm_count`. */
  readonly count: Refcount
  readonly mmapLock: RwSemaphore
  /** Stands for all locks by which reclaim and migration find mappings. Linux: `anon_vma` and `i_mmap` rwsems, taken by `mm_take_all_locks()`. */
  readonly rmapLock: RwSemaphore
  readonly notifiers: NotifierSubscriptions
  readonly #teardown: (() => Promise<void>) | undefined

  constructor(kernel: Kernel, name: string, options: NotifiedMmOptions = {}) {
    this.name = name
    this.kernel = kernel
    this.users = kernel.refcount(`mm_users of ${name}`, 1)
    this.count = kernel.refcount(`mm_count of ${name}`, 1)
    this.mmapLock = kernel.rwSemaphore('mmap_lock')
    this.rmapLock = kernel.rwSemaphore('rmap_lock')
    this.#teardown = options.teardown
    this.notifiers = new NotifierSubscriptions(options.operations?.(kernel, this) ?? new Operations(kernel, this))
  }

  /** Becomes a user. @returns false when there is none left. Linux: `mmget_not_zero()`. */
  mmget(): Promise<boolean> {
    return this.users.getUnlessZero()
  }

  /**
   * A user goes. The last one ends the address space: 'release' to every notifier, then the teardown. Not in a callback (LOCKDEP), not under a lock that one takes. Linux:
   * `mmput()`.
   */
  async mmput(): Promise<void> {
    this.kernel.mightSleep('mmput')
    assertNotInCallback(this.kernel, 'mmput', 'mmput')
    if (!(await this.users.put())) return
    const teardown = async (): Promise<void> => {
      this.kernel.trace('mmu_notifier:teardown', this.notifiers)
      await this.#teardown?.()
    }
    // An end cannot be taken back: what a callback throws comes after it.
    await inTurn([() => this.notifiers.release(), teardown, () => this.mmdrop()], (step) => step())
  }

  /** Keeps this object, not its mappings. Linux: `mmgrab()`. */
  mmgrab(): Promise<void> {
    return this.count.get()
  }

  /** The last one frees it, and the subscriptions with it. Linux: `mmdrop()`. */
  async mmdrop(): Promise<void> {
    if (await this.count.put()) this.notifiers.destroy()
  }

  /** @throws EINVAL when it has no users: nothing that is registered now would hear of the end. Linux: the check of `mm_users` in insert. */
  assertUsers(): void {
    if (this.users.value === 0) throw new MmuNotifierError('EINVAL', `${this.name} has no users left: it takes no more intervals`)
  }
}
