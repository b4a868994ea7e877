import type { FaultOptions } from './fault.ts'
import type { MmStruct } from './mm-struct.ts'
import { checkCovered, checkPages, faultRange, type FaultedPages, type RangeFaultRequest } from './range-fault.ts'
import { UserFault } from './userfault-queue.ts'

export interface UnlockedOptions {
  /**
   * Turns in a row that may be lost to invalidations. 0, the default: any number. A turn in which the mmap lock was dropped is not lost, and begins the count anew. Linux:
   * `timeout`, a time; a model has no clock that a checker could explore, so the turns are counted for which Linux would look at it.
   */
  readonly retries?: number
}

/** {@link FaultedPages} of {@link Mm.rangeFaultUnlocked}. */
export interface UnlockedPages extends FaultedPages {
  /** What `readBegin` returned for the turn that found them: for `readRetry`. Linux: `notifier_seq`, which is written. */
  readonly seq: number
}

const UNLOCKED: FaultOptions = { by: 'remote', mayDropLock: true }

/**
 * While the lock is dropped everything may change, so each turn begins with the notifier, and finds the areas and all pages again:
 *
 *     readBegin; is the range inside the notifier still?   EINVAL if not
 *     mmap lock (read); faultRange; unlock                 found: the caller's readRetry says whether it still holds
 *                                                          busy: an invalidation came; a turn is lost
 *                                                          a fault to wait for: without the lock, then the next turn
 *
 * Linux: `hmm_range_fault_unlocked_timeout()`.
 */
export async function rangeFaultUnlocked(
  mm: MmStruct,
  request: Omit<RangeFaultRequest, 'seq'>,
  { retries = 0 }: UnlockedOptions,
): Promise<UnlockedPages | 'busy'> {
  const { notifier } = request
  checkPages(mm, request)
  if (!Number.isSafeInteger(retries) || retries < 0) throw new RangeError(`rangeFaultUnlocked: expected retries from 0 on, got ${retries}`)
  for (let lost = 0; retries === 0 || lost <= retries; ) {
    const seq = await notifier.readBegin()
    if (seq < 0) break // it is dying, so invalidated for ever
    checkCovered(request)
    const found = await mm.mmapLock.read(() => faultRange(mm, { ...request, seq }, UNLOCKED))
    if (found === 'busy') lost++
    else if (found instanceof UserFault) {
      await found.wait()
      lost = 0
    } else return { ...found, seq }
  }
  return 'busy'
}
