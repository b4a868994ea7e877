import { MmuNotifierError } from '@mmu-notifier/kernel'
import type { MmuNotifier, MmuNotifierOps } from './classic.ts'
import { DYING, GONE, type Batch } from './entry.ts'
import { checkInterval, type Interval } from './interval.ts'
import { Invalidations } from './invalidations.ts'
import { Notifier } from './notifier.ts'
import type { IntervalNotifierOps } from './ops.ts'
import { assertMayWait, assertNotInCallback } from './rules.ts'

/**
 * What is between the critical sections of `Protocol`: who locks, calls drivers, waits, wakes and releases, in which order. One for an address space; its methods
 * are the public operations, and under them their steps. Linux: the functions of `mm/mmu_notifier.c`.
 */
export class Operations extends Invalidations {
  #nextId = 0

  // Readers

  async readBegin(notifier: Notifier): Promise<number> {
    this.memory.use('readBegin')
    this.kernel.mightSleep('readBegin')
    assertMayWait(this.kernel, this.map, 'readBegin')
    const { seq, invalidating } = await this.lock.section(() => {
      const begun = this.protocol.readBegin(notifier)
      this.kernel.note(() => `readBegin: s = ${begun.seq}, S = ${this.protocol.seq.value}${begun.invalidating ? ': wait' : ''}`)
      return begun
    })
    if (invalidating) {
      this.kernel.trace('mmu_notifier:wait', notifier)
      await this.collisionOver(seq)
    }
    this.kernel.trace('mmu_notifier:read_begin', notifier, seq)
    return seq
  }

  /**
   * Lock-free on purpose: who sees the new value early, while the deferred list is applied, touches nothing of it, and a later invalidation needs
   * the spinlock, so it finds the whole tree.
   */
  protected collisionOver(seq: number): Promise<void> {
    return this.queue.until(() => this.protocol.seq.value !== seq)
  }

  async readRetry(notifier: Notifier, seq: number): Promise<boolean> {
    const held = await notifier.seq.read()
    const retry = held !== seq || held === DYING
    this.kernel.note(() => `readRetry ${seq}: s = ${held === DYING ? 'dying' : held}${retry ? ': again' : ': go on'}`)
    this.kernel.trace('mmu_notifier:read_retry', notifier, seq, retry)
    return retry
  }

  /** Who is dying stays so: the callbacks that still come must not make a reader believe in it. */
  async setSeq(notifier: Notifier, seq: number): Promise<void> {
    await notifier.seq.update((held) => (held < 0 ? held : seq))
    this.kernel.note(() => `setSeq ${seq}`)
    this.kernel.trace('mmu_notifier:set_seq', notifier, seq)
  }

  // Registration

  /** A notifier that is not registered yet. RangeError. */
  create<Data>(interval: Interval, ops: IntervalNotifierOps<Data>, data: Data, references = 1): Notifier<Data> {
    checkInterval(interval)
    return new Notifier(this, this.#nextId++, interval, ops, data, references)
  }

  async insert(notifier: Notifier, locked: boolean): Promise<void> {
    const { kernel } = this
    this.memory.use('insert')
    kernel.mightSleep('insert')
    assertNotInCallback(kernel, 'create', 'insert')
    await this.registerIntervals(locked)
    await this.enter([notifier], () => {
      this.protocol.insert(notifier)
      kernel.trace('mmu_notifier:insert', notifier)
      kernel.note(() => `insert ${notifier.toString()}: s = ${notifier.seq.value}${notifier.phase === 'pending' ? ', deferred' : ''}`)
      return []
    })
  }

  /** The mmap lock may have to be taken, and lockdep is to know it each time. */
  async registerIntervals(locked: boolean): Promise<void> {
    const { mmapLock, rmapLock } = this.mm
    await this.prime()
    if (locked) mmapLock.assertHeld('write')
    else mmapLock.mightLockWrite()
    if (await this.intervals.read()) return
    // No invalidation is half through: one that has started uncounted would end counted.
    const enable = (): Promise<void> => rmapLock.write(() => this.intervals.write(true))
    if (locked) await enable()
    else await mmapLock.write(enable)
  }

  /** Tells lockdep, before it ever happens, that direct reclaim calls notifiers. */
  protected async prime(): Promise<void> {
    if (this.kernel.current.held.length > 0) return
    await this.kernel.reclaim(async () => {
      this.map.acquire('write')
      this.map.release()
    })
  }

  async registerClassic(ops: MmuNotifierOps): Promise<MmuNotifier> {
    this.memory.use('register')
    this.kernel.mightSleep('register')
    const { mmapLock, rmapLock } = this.mm
    return mmapLock.write(() => rmapLock.write(() => this.classic.register(ops)))
  }

  async remove(notifier: Notifier): Promise<void> {
    const { kernel } = this
    this.memory.use('remove')
    kernel.mightSleep('remove')
    assertMayWait(kernel, this.map, 'remove')
    kernel.trace('mmu_notifier:remove', notifier)
    const period = await this.lock.section(() => {
      const over = this.protocol.remove(notifier)
      kernel.note(() => `remove ${notifier.toString()}: ${over === undefined ? 'out' : `wait until S is not ${over}`}`)
      return over
    })
    if (period !== undefined) await this.periodOver(period)
    this.protocol.removed(notifier)
    this.outstanding--
    kernel.trace('mmu_notifier:removed', notifier)
    await this.mm.mmdrop()
  }

  /**
   * Waits until the deferred list of that period has been applied. Not lock-free in Linux, where the sequence changes before that: here the two are one step, so no look at the
   * sequence falls in between.
   */
  protected periodOver(period: number): Promise<void> {
    return this.queue.until(() => this.protocol.seq.value !== period)
  }

  // The tree lock and what it guards

  async lockTree(): Promise<void> {
    this.memory.use('lockTree')
    this.map.acquire('read', { tryLock: true })
    await this.lock.section(() => {
      this.protocol.lockTree()
      this.kernel.trace('mmu_notifier:tree_lock', this.mm.notifiers)
      this.kernel.note(() => `lock tree: S = ${this.protocol.seq.value}`)
    })
  }

  async unlockTree(): Promise<void> {
    this.memory.use('unlock')
    this.map.release()
    await this.settle(await this.endPeriod(undefined))
  }

  async find(ops: unknown, start: number, last: number, after: Notifier | undefined): Promise<Notifier | undefined> {
    const found = await this.lock.section(() => this.protocol.find(ops, start, last, after))
    this.kernel.trace('mmu_notifier:find', found, start, last)
    this.kernel.note(() => `find: ${found?.toString() ?? 'none'}`)
    return found
  }

  async batch(batch: Batch<Notifier>): Promise<void> {
    const { remove = [], update = [], insert = [] } = batch
    if (insert.length > 0 && !(await this.intervals.read())) {
      throw new MmuNotifierError('EINVAL', `batch: ${this.mm.name} has had no interval yet: registerIntervals() or insert() first, where the mmap lock may be taken`)
    }
    await this.enter(insert, () => {
      const released = this.protocol.batch(batch)
      this.kernel.trace('mmu_notifier:batch', remove, insert, update.map(({ entry }) => entry))
      this.kernel.note(() => `batch:${[...remove.map((n) => ` ${n.toString()} out`), ...update.map(({ entry }) => ` ${entry.toString()} moves`), ...insert.map((n) => ` ${n.toString()} in`)].join(',')}`)
      return released
    })
  }

  // References

  async get(notifier: Notifier): Promise<void> {
    await this.lock.section(() => { this.protocol.get(notifier) })
    this.kernel.note(() => `get ${notifier.toString()}`)
    this.kernel.trace('mmu_notifier:get', notifier)
  }

  async put(notifier: Notifier): Promise<void> {
    this.memory.use('put')
    const released = await this.lock.section(() => this.protocol.put(notifier))
    this.kernel.trace('mmu_notifier:put', notifier)
    this.kernel.note(() => `put ${notifier.toString()}`)
    await this.releaseAll(released)
  }

  async removeDeferred(notifier: Notifier): Promise<void> {
    this.memory.use('removeDeferred')
    const released = await this.lock.section(() => this.protocol.removeDeferred(notifier))
    this.kernel.trace('mmu_notifier:remove_deferred', notifier)
    this.kernel.note(() => `removeDeferred ${notifier.toString()}${notifier.phase === 'dying' ? ': deferred' : ': out'}`)
    await this.releaseAll(released)
  }

  async synchronize(): Promise<void> {
    this.memory.use('synchronize')
    this.kernel.mightSleep('synchronize')
    assertMayWait(this.kernel, this.map, 'synchronize')
    const leaving = await this.lock.section(() => [...this.protocol.leaving])
    this.kernel.note(() => `synchronize: ${leaving.length} to wait for`)
    await this.queue.until(() => leaving.every(({ seq }) => seq.value === GONE))
  }

  /** Registers `notifiers` by a section that does it, each with a reference to the address space. What the section throws leaves everything as it was. */
  protected async enter(notifiers: readonly Notifier[], section: () => Notifier[]): Promise<void> {
    const { mm } = this
    for (const { operations } of notifiers) await operations.mm.mmgrab()
    let released: Notifier[]
    try {
      released = await this.lock.section(() => {
        if (notifiers.length > 0) mm.assertUsers()
        const now = section()
        this.outstanding += notifiers.length
        return now
      })
    } catch (error) {
      for (const { operations } of notifiers) await operations.mm.mmdrop()
      throw error
    }
    await this.releaseAll(released)
  }
}
