/** An invariant of the protocol. */
export interface InvariantRow {
  readonly says: string
  /** The race that it excludes. */
  readonly prevents: string
}

export type Invariant = `I${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19 | 20}`

/** What holds in every run, and why. {@link Invariants} checks them; I16 is lockdep's, in every run. S is the sequence of the address space. */
export const INVARIANTS: Readonly<Record<Invariant, InvariantRow>> = {
  I1: { says: 'the count of open invalidations and tree locks is right, and never negative', prevents: 'an early even S: a reader passes while a real invalidation runs' },
  I2: { says: 'S is odd only while something is open', prevents: 'waiters that nobody wakes' },
  I3: { says: 'the tree changes only while nobody walks it', prevents: 'an interval that a walk skips, or that is freed under it' },
  I4: { says: 'the number of a notifier is always odd', prevents: 'a reader that waits although nothing runs' },
  I5: { says: 'a notifier gets no number but that of the period whose callback sets it', prevents: 'a wait for a period that never ends, or none for one that runs' },
  I6: { says: 'an interval that is added or grows while something is open has the number of the period', prevents: 'a running invalidation that its reader never hears of' },
  I7: { says: 'callbacks run without the spinlock, and S is theirs, and odd, from their beginning to their end', prevents: 'a callback that sets an old number' },
  I8: { says: 'when a start returns, every interval that it found in the tree was called, and has done its work', prevents: 'a translation that outlives its page' },
  I9: { says: 'a callback calls setSeq under the user lock, before it unmaps', prevents: 'a reader that read before, and programs after, the unmap' },
  I10: { says: 'readRetry and the programming are one section under the user lock', prevents: 'a callback between the two' },
  I11: { says: 'the number given to readRetry came from a readBegin before the page tables were read', prevents: 'an old entry with a new number' },
  I12: { says: 'deferred operations are applied once, in the section in which S becomes even', prevents: 'a waiter that wakes to the old tree' },
  I13: { says: 'what was removed or is released is neither in the tree, nor deferred, nor being called', prevents: 'a use after free' },
  I14: { says: 'the address space is there as long as an interval is registered', prevents: 'a use after free of lock and queue' },
  I15: { says: 'an invalidation that was refused is not open', prevents: 'a count that never comes back to 0' },
  I16: { says: 'no lock that a callback takes is held over direct reclaim, a wait for a period, or the mmap lock', prevents: 'deadlocks that need memory pressure to show' },
  I17: { says: 'page tables change only between start and end of an invalidation of theirs', prevents: 'a change that nobody was told of' },
  I18: { says: 'every second pass has returned before the start returns', prevents: 'a device that still writes to a page that is freed' },
  I19: { says: 'every interval is told of the end before the page tables go', prevents: 'a device that uses the memory of a process that has ended' },
  I20: { says: 'who reads page tables for a device uses the address space, and holds the mmap lock', prevents: 'page tables that are freed under the reader' },
}
