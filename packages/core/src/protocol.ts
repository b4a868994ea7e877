import { IntervalTree } from '@mmu-notifier/interval-tree'
import { MmuNotifierError } from '@mmu-notifier/kernel'
import { hex, type AddressRange, type Interval } from './interval.ts'

/*
 * The protocol: what happens in the critical sections of the one spinlock of an address space. Nothing here waits or calls a driver.
 *
 * It is a lock that readers (device fault handlers) and writers (invalidations) share without ever blocking a writer: any number of writers
 * at once; a reader that overlapped with one that concerns it throws its work away and starts again. A third party changes the tree:
 * insert, remove, put, batch.
 *
 * States, by the number of open invalidations and tree locks (`active`) and the parity of `seq`:
 *
 *   active  seq    state     the tree                         an insert                          a reader
 *   0       even   idle      changes at once                  at once, born with seq - 1         goes on
 *   > 0     even   partial   changes at once: nobody walks    at once, but makes seq odd, born   goes on
 *                            it, no interval was hit          with it: the open invalidation may
 *                                                             concern it and will not call it
 *   > 0     odd    full      frozen: changes are deferred     deferred, born with seq            waits if its notifier's seq is seq
 *   0       odd    never
 *
 * The sequence numbers (S = `seq` of the address space, s = that of a notifier; s is always odd, so an even S never equals one):
 *
 *   a range starts and hits an interval, or the tree is locked      S |= 1
 *   invalidate callback: setSeq, under the user lock                s = S
 *   the last range ends while S is odd                              S += 1, the deferred list is applied, all waiters wake
 *
 * Reader and invalidation of the same interval, L being the user lock:
 *
 *   reader                                          invalidation
 *   readBegin: s is not S, or wait until it is not
 *                                                   start: S |= 1; the callback:
 *   read the CPU page table                           lock L; s = S; unmap, flush; unlock L
 *   lock L                                          change the CPU page table, free the pages
 *   readRetry: is s still what readBegin gave?      end: S += 1, wake
 *   if so program the device
 *   unlock L
 *
 *   Required at the crossing: either the reader's section under L comes first, and the callback unmaps what it programmed, or the callback's comes
 *   first, and readRetry is true. A reader that begins after the callback waits for the end, because what it would read is in flux and no further callback would tell it.
 */

/** Where an interval is in its life. Callbacks may come in `live` and `dying`; find returns `pending` and `live`. */
export type Phase =
  | 'new' // not handed to the protocol yet
  | 'pending' // insert deferred; not in the tree
  | 'live' // in the tree
  | 'dying' // removal deferred; in the tree, unless it was pending before
  | 'dead' // not in the tree; released when the last reference goes
  | 'released' // ops.release was or is about to be called, or remove() has returned

/** What the protocol keeps of a notifier; it changes in sections only (but for `seq`, see above). */
export interface Entry extends Interval {
  /** Order of registration. */
  readonly id: number
  readonly ops: unknown
  readonly seq: { value: number }
  references: number
  phase: Phase
  /** `find` has returned it while it was pending: who locks the tree may still look at it. */
  seen: boolean
  /** The deferred removal gives the owner's reference back. */
  ownerLeaves: boolean
  /** In the tree; negative outside of it. */
  handle: number
  /** Throws UAF for an entry whose memory was given back. */
  assertAlive(by: string): void
}

export interface Batch<E extends Entry> {
  readonly remove: readonly E[]
  readonly insert: readonly E[]
}

/** What the end of a frozen period has done. */
export interface Applied<E extends Entry> {
  /** The deferred list, in the order in which it was queued. */
  readonly applied: readonly E[]
  readonly released: readonly E[]
}

export class Protocol<E extends Entry = Entry> {
  readonly seq: { value: number }
  active = 0
  readonly #tree = new IntervalTree(4)
  /** By handle of the tree. */
  readonly #entries: (E | undefined)[] = []
  /** Entries in `pending` or `dying`, in the order in which they were queued. Empty whenever `seq` is even. */
  #deferred: E[] = []

  /** @param seq the sequence number's cell: who waits for the end of a period looks at it without the spinlock. Even. */
  constructor(seq: { value: number } = { value: 2 }) {
    this.seq = seq
  }

  get frozen(): boolean {
    return (this.seq.value & 1) === 1
  }

  /** Intervals in the tree. */
  get size(): number {
    return this.#tree.size
  }

  get deferred(): readonly E[] {
    return this.#deferred
  }

  /** A range starts. @returns the first entry that it hits, which makes the tree stay as it is until the range ends */
  start(range: AddressRange): E | undefined {
    this.active++
    const handle = this.#tree.findFirst(range.start, range.end - 1)
    if (handle < 0) return undefined
    this.#freeze()
    return this.#entries[handle]
  }

  /** The tree is locked for read: like a range that hit something, but nobody is called. */
  lockTree(): void {
    this.active++
    this.#freeze()
  }

  /** The next entry of a walk. Without the spinlock: the walker has frozen the tree. */
  next(entry: E, range: AddressRange): E | undefined {
    return this.#entries[this.#tree.findNext(entry.handle, range.start, range.end - 1)]
  }

  /**
   * A range ends, or the tree is unlocked. The last one of a frozen period applies the deferred list in this same section, so that nobody
   * sees a part of it.
   * @returns undefined unless it was the last: then waiters are to be woken, and after that the released ones released
   */
  end(): Applied<E> | undefined {
    this.active--
    if (this.active > 0 || !this.frozen) return undefined
    this.seq.value++
    const applied = this.#deferred
    this.#deferred = []
    const released: E[] = []
    for (const entry of applied) {
      entry.assertAlive('the end of the last invalidation')
      if (entry.phase === 'pending') this.#enter(entry)
      else this.#leave(entry, released)
    }
    return { applied, released }
  }

  insert(entry: E): void {
    if (this.active === 0) {
      this.#enter(entry)
      entry.seq.value = this.seq.value - 1
      return
    }
    if (this.frozen) this.#defer(entry, 'pending')
    else {
      this.#freeze()
      this.#enter(entry)
    }
    entry.seq.value = this.seq.value
  }

  readBegin(entry: E): { seq: number; invalidating: boolean } {
    const seq = entry.seq.value
    return { seq, invalidating: seq === this.seq.value }
  }

  get(entry: E): void {
    if (entry.references === 0) throw new MmuNotifierError('REFCOUNT', `REFCOUNT  get of ${describe(entry)} without a reference: the last one has gone`)
    entry.references++
  }

  /** @returns what is to be released now */
  put(entry: E): E[] {
    if (entry.references === 0) throw new MmuNotifierError('REFCOUNT', `REFCOUNT  put of ${describe(entry)}: more puts than references`)
    entry.references--
    if (entry.references > 0) return []
    const released: E[] = []
    if (entry.phase === 'dead') this.#release(entry, released)
    else if (entry.phase !== 'dying') this.#retire(entry, released)
    return released
  }

  /** @returns what is to be released now */
  removeDeferred(entry: E): E[] {
    this.#assertNotDying(entry)
    entry.ownerLeaves = true
    const released: E[] = []
    this.#retire(entry, released)
    return released
  }

  /** @returns the period that has to end before the entry is out of reach, if any */
  remove(entry: E): number | undefined {
    this.#assertNotDying(entry)
    if (entry.references !== 1) throw new MmuNotifierError('EBUSY', `remove of ${describe(entry)}: ${entry.references - 1} other references are held`)
    this.#retire(entry, [])
    return entry.phase === 'dying' ? this.seq.value : undefined
  }

  /** After `remove` and its wait: the owner has it, there is nothing to release. */
  removed(entry: E): void {
    entry.references = 0
    entry.phase = 'released'
  }

  /** All or nothing: whatever cannot be done is found before anything is queued. @returns what is to be released now */
  batch({ remove, insert }: Batch<E>): E[] {
    if (new Set(remove).size !== remove.length) throw new TypeError('a batch removes a notifier twice')
    for (const entry of remove) this.#assertNotDying(entry)
    const released: E[] = []
    // Removals first, so that the halves of an interval never lie beside it in the tree.
    for (const entry of remove) {
      entry.ownerLeaves = true
      this.#retire(entry, released)
    }
    for (const entry of insert) this.insert(entry)
    return released
  }

  /**
   * The first entry of `ops` that overlaps [start, last], in order of (start, registration), after `after`. As if every operation that was
   * called had been applied: what is dying is skipped, what is pending is seen.
   */
  find(ops: unknown, start: number, last: number, after?: E): E | undefined {
    let best: E | undefined
    for (let handle = this.#tree.findFirst(start, last); handle >= 0; handle = this.#tree.findNext(handle, start, last)) {
      const entry = this.#entries[handle]
      if (entry?.ops !== ops || entry?.phase !== 'live' || (after && !precedes(after, entry))) continue
      best = entry
      break
    }
    for (const entry of this.#deferred) {
      if (entry.phase !== 'pending' || entry.ops !== ops || entry.start > last || entry.last < start) continue
      if ((!after || precedes(after, entry)) && (!best || precedes(entry, best))) best = entry
    }
    if (best?.phase === 'pending') best.seen = true
    return best
  }

  /** Written only when it changes: who walks a frozen tree reads it without the spinlock. */
  #freeze(): void {
    if (!this.frozen) this.seq.value |= 1
  }

  /** Makes the entry leave the tree: now, or with the deferred list. */
  #retire(entry: E, released: E[]): void {
    if (entry.phase === 'pending' && !entry.seen) {
      // Nobody can know of it, so nothing has to be waited for.
      this.#deferred = this.#deferred.filter((other) => other !== entry)
      this.#bury(entry, released)
    } else if (entry.phase === 'pending') entry.phase = 'dying'
    else if (this.frozen) this.#defer(entry, 'dying')
    else this.#leave(entry, released)
  }

  #defer(entry: E, phase: 'pending' | 'dying'): void {
    entry.phase = phase
    this.#deferred.push(entry)
  }

  #enter(entry: E): void {
    entry.handle = this.#tree.insert(entry.start, entry.last)
    this.#entries[entry.handle] = entry
    entry.phase = 'live'
  }

  #leave(entry: E, released: E[]): void {
    if (entry.handle >= 0) {
      this.#tree.remove(entry.handle)
      this.#entries[entry.handle] = undefined
      entry.handle = -1
    }
    this.#bury(entry, released)
  }

  #bury(entry: E, released: E[]): void {
    entry.phase = 'dead'
    if (entry.ownerLeaves) entry.references--
    if (entry.references === 0) this.#release(entry, released)
  }

  #release(entry: E, released: E[]): void {
    entry.phase = 'released'
    released.push(entry)
  }

  #assertNotDying(entry: E): void {
    if (entry.phase === 'pending' || entry.phase === 'live') return
    throw new MmuNotifierError('ENOENT', `${describe(entry)} is being removed already`)
  }
}

function precedes(a: Entry, b: Entry): boolean {
  return a.start < b.start || (a.start === b.start && a.id < b.id)
}

function describe(entry: Entry): string {
  return `the notifier [${hex(entry.start)}, ${hex(entry.last)}]`
}
