import { IntervalTree } from '@mmu-notifier/interval-tree'
import { MmuNotifierError } from '@mmu-notifier/kernel'
import { DYING, planned, type Applied, type Batch, type Entry, type Word } from './entry.ts'
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
 *   who keeps a range open that hit none looks at the tree          S |= 1, as if he had locked it
 *   invalidate callback: setSeq, under the user lock                s = S, unless dying
 *   an insert or an update while S is odd                           s = S: what runs now may concern it, and will not call it
 *   an insert while S is even                                       s = S - 1, or as above if anything runs, which makes S odd
 *   a removal                                                       s = dying, for ever: nobody tells its readers any more
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
 *
 * Removal and the walk of an invalidation that has begun:
 *
 *   whoever removes                                 invalidation
 *                                                   start: S |= 1, the first interval
 *   S is odd: s = dying, deferred                     callback of each, outside of the spinlock: it may still come to the dying one
 *   remove: wait until S is not what it was         end, if it is the last: S += 1; erase in the same section; wake
 *   the memory is the owner's                       release of what was removed otherwise, when its last reference has gone
 *
 *   Required at the crossing: between the step to odd and the step to even the tree does not change, so the walk needs no lock; and who sees S even sees the tree without the
 *   interval, so no later walk finds it.
 */

export class Protocol<E extends Entry = Entry> {
  readonly seq: Word<number>
  /** Grows with every change of the tree: who walks it reads this before each step, so that a change under a walker is a conflict of two accesses. */
  readonly version: Word<number>
  active = 0
  readonly tree: IntervalTree = new IntervalTree(4)
  /** By handle of the tree. */
  readonly entries: (E | undefined)[] = []
  /** What was asked for while the tree was frozen, in that order: entries in `pending` or `dying`, and those with an update. Empty whenever `seq` is even. */
  deferred: E[] = []
  /** Entries whose removal was asked for by `put` or `removeDeferred`, and whose release has not returned. */
  readonly leaving: Set<E> = new Set<E>()

  /**
   * @param seq the sequence number: who waits for the end of a period looks at it without the spinlock. Even.
   * @param version of the tree
   */
  constructor(seq: Word<number> = { value: 2 }, version: Word<number> = { value: 0 }) {
    this.seq = seq
    this.version = version
  }

  get frozen(): boolean {
    return this.seq.value % 2 !== 0
  }

  /** A range starts. @returns the first entry that it hits, which makes the tree stay as it is until the range ends */
  start(range: AddressRange): E | undefined {
    this.active++
    const handle = this.tree.findFirst(range.start, range.end - 1)
    if (handle < 0) return undefined
    this.freeze()
    return this.entries[handle]
  }

  /** The tree is locked for read: like a range that hit something, but nobody is called. */
  lockTree(): void {
    this.active++
    this.freeze()
  }

  /** The next entry of a walk. Without the spinlock: the walker has frozen the tree. */
  next(entry: E, range: AddressRange): E | undefined {
    if (entry.handle < 0) throw new MmuNotifierError('CORRUPT', `CORRUPT  a walk stands on ${describe(entry)}, which has left the tree`)
    return this.entries[this.tree.findNext(entry.handle, range.start, range.end - 1)]
  }

  /**
   * A range ends, or the tree is unlocked. The last one of a frozen period applies the deferred list in this same section, so that nobody
   * sees a part of it.
   * @returns undefined unless it was the last: then waiters are to be woken, and after that the released ones released
   */
  end(): Applied<E> | undefined {
    this.active--
    if (this.active > 0 || !this.frozen) return undefined
    this.thaw()
    return this.apply()
  }

  insert(entry: E): void {
    if (this.active === 0) {
      this.enter(entry)
      entry.seq.value = this.before(this.seq.value)
      return
    }
    if (this.frozen) this.defer(entry, 'pending')
    else {
      this.freeze()
      this.enter(entry)
    }
    entry.seq.value = this.seq.value
  }

  readBegin(entry: E): { seq: number; invalidating: boolean } {
    const seq = entry.seq.value
    return { seq, invalidating: seq === this.seq.value }
  }

  /** Also of one whose last reference has just been put, while it is dying: who has found it before still has the tree locked, so it is not released yet. */
  get(entry: E): void {
    if (entry.removal === 'sync') throw new MmuNotifierError('ENOENT', `get of ${describe(entry)}: remove() is taking it away, and waits for nobody's reference`)
    if (entry.references === 0 && entry.phase !== 'dying') throw new MmuNotifierError('REFCOUNT', `REFCOUNT  get of ${describe(entry)} without a reference: the last one has gone`)
    entry.references++
  }

  /** @returns what is to be released now */
  put(entry: E): E[] {
    if (entry.references === 0) throw new MmuNotifierError('REFCOUNT', `REFCOUNT  put of ${describe(entry)}: more puts than references`)
    entry.references--
    if (entry.references > 0) return []
    const released: E[] = []
    if (entry.phase === 'dead') this.release(entry, released)
    else if (entry.phase !== 'dying') {
      entry.removal = 'put'
      this.retire(entry, released)
    }
    return released
  }

  /** @returns what is to be released now */
  removeDeferred(entry: E): E[] {
    this.assertNotDying(entry)
    const released: E[] = []
    entry.removal = 'deferred'
    this.retire(entry, released)
    return released
  }

  /** @returns the period that has to end before the entry is out of reach, if any */
  remove(entry: E): number | undefined {
    this.assertNotDying(entry)
    if (entry.references !== 1) throw new MmuNotifierError('EBUSY', `remove of ${describe(entry)}: ${entry.references - 1} other references are held`)
    entry.removal = 'sync'
    this.retire(entry, [])
    return entry.phase === 'dying' ? this.seq.value : undefined
  }

  /** After `remove` and its wait: the owner has it, there is nothing to release. */
  removed(entry: E): void {
    entry.references = 0
  }

  /** All or nothing: whatever cannot be done is found before anything is queued. @returns what is to be released now */
  batch({ remove = [], update = [], insert = [] }: Batch<E>): E[] {
    this.walks()
    const concerned = [...remove, ...update.map(({ entry }) => entry)]
    if (new Set(concerned).size !== concerned.length) throw new TypeError('a batch removes or updates a notifier twice')
    for (const entry of concerned) this.assertNotDying(entry)
    const released: E[] = []
    // Removals first, so that the halves of an interval never lie beside it in the tree.
    for (const entry of remove) {
      entry.removal = 'deferred'
      this.retire(entry, released)
    }
    for (const { entry, interval } of update) this.update(entry, interval, released)
    for (const entry of insert) this.insert(entry)
    return released
  }

  /**
   * The first entry of `ops` that overlaps [start, last], in order of (start, registration), after `after`. As if every operation that was
   * called had been applied: what is dying is skipped, what is pending is seen, what is updated is where it will be.
   */
  find(ops: unknown, start: number, last: number, after?: E): E | undefined {
    this.walks()
    let best: E | undefined
    for (let handle = this.tree.findFirst(start, last); handle >= 0; handle = this.tree.findNext(handle, start, last)) {
      if (best && this.tree.startOf(handle) > best.place.value.start) break
      const entry = this.entries[handle]
      if (entry?.ops !== ops || entry?.phase !== 'live' || entry.updated.value || (after && !precedes(after, entry))) continue
      if (!best || precedes(entry, best)) best = entry
    }
    for (const entry of this.deferred) {
      if (entry.phase === 'dying' || entry.ops !== ops) continue
      const at = planned(entry)
      if (at.start > last || at.last < start) continue
      if ((!after || precedes(after, entry)) && (!best || precedes(entry, best))) best = entry
    }
    if (best?.phase === 'pending') best.seen = true
    return best
  }

  /** Somebody who keeps a period open looks at the tree, or changes it: his range may have hit nothing, and so have left it to others. */
  protected walks(): void {
    if (this.active > 0) this.freeze()
  }

  /** Written only when it changes: who walks a frozen tree reads it without the spinlock. */
  protected freeze(): void {
    if (!this.frozen) this.seq.value++
  }

  /** A period ends. */
  protected thaw(): void {
    this.seq.value++
  }

  /** The odd number that no period will have until the counter has gone all the way round. */
  protected before(seq: number): number {
    return seq - 1
  }

  /** Makes the changes that waited for the end of the period. */
  protected apply(): Applied<E> {
    const applied = this.deferred
    this.deferred = []
    const released: E[] = []
    for (const entry of applied) {
      entry.assertAlive('the end of the last invalidation')
      if (entry.phase === 'pending') this.enter(entry)
      else if (entry.phase === 'dying') this.leave(entry, released)
      else this.move(entry)
    }
    return { applied, released }
  }

  /** Makes the entry leave the tree: now, or with the deferred list. */
  protected retire(entry: E, released: E[]): void {
    if (entry.removal !== 'sync') this.leaving.add(entry)
    if (entry.phase === 'pending' && !entry.seen) {
      // Nobody can know of it, so nothing has to be waited for.
      this.deferred = this.deferred.filter((other) => other !== entry)
      this.bury(entry, released)
    } else if (this.frozen) this.defer(entry, 'dying')
    else this.leave(entry, released)
    // For ever: once it has left the tree nobody tells its readers any more.
    entry.seq.value = DYING
  }

  /** The tree is frozen, since only who has locked it updates. An empty interval gets no notification, so it leaves. */
  protected update(entry: E, interval: Interval, released: E[]): void {
    if (interval.start > interval.last) {
      entry.removal = 'deferred'
      this.retire(entry, released)
      return
    }
    if (entry.phase === 'pending') entry.place.value = interval
    else {
      entry.updated.value = interval
      this.defer(entry, 'live')
    }
    // As an insert: what runs now may concern what it gains, and will not call it.
    entry.seq.value = this.seq.value
  }

  /** Queues it, or changes what it is queued for. */
  protected defer(entry: E, phase: 'pending' | 'live' | 'dying'): void {
    entry.phase = phase
    if (!this.deferred.includes(entry)) this.deferred.push(entry)
  }

  protected enter(entry: E): void {
    const { start, last } = entry.place.value
    entry.handle = this.tree.insert(start, last)
    this.entries[entry.handle] = entry
    entry.phase = 'live'
    this.version.value++
  }

  protected move(entry: E): void {
    const updated = entry.updated.value
    if (!updated) return
    this.erase(entry)
    entry.place.value = updated
    entry.updated.value = undefined
    this.enter(entry)
  }

  protected leave(entry: E, released: E[]): void {
    this.erase(entry)
    this.bury(entry, released)
  }

  protected erase(entry: E): void {
    if (entry.handle < 0) return
    this.tree.remove(entry.handle)
    this.entries[entry.handle] = undefined
    entry.handle = -1
    this.version.value++
  }

  protected bury(entry: E, released: E[]): void {
    entry.phase = 'dead'
    if (entry.removal === 'deferred') {
      if (entry.references === 0) throw new MmuNotifierError('REFCOUNT', `REFCOUNT  the removal of ${describe(entry)}: its owner's reference was put already`)
      entry.references--
    }
    if (entry.references === 0 && entry.removal !== 'sync') this.release(entry, released)
  }

  protected release(entry: E, released: E[]): void {
    entry.phase = 'released'
    released.push(entry)
  }

  protected assertNotDying(entry: E): void {
    if (entry.phase === 'pending' || entry.phase === 'live') return
    throw new MmuNotifierError('ENOENT', `${describe(entry)} is being removed already`)
  }
}

function precedes(a: Entry, b: Entry): boolean {
  const [x, y] = [planned(a).start, planned(b).start]
  return x < y || (x === y && a.id < b.id)
}

function describe(entry: Entry): string {
  const { start, last } = planned(entry)
  return `the notifier [${hex(start)}, ${hex(last)}]`
}
