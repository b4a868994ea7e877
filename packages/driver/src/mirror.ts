import type { IntervalNotifier } from '@mmu-notifier/core'
import type { DeviceAccess } from '@mmu-notifier/fake-mmu'
import type { Mutex } from '@mmu-notifier/kernel'
import type { FaultedPages, Mm, RangeFaultRequest } from '@mmu-notifier/mm'
import type { DriverHost } from './contract.ts'

/** Pages that the device wants, half open and page aligned, inside the notifier's interval. */
export interface MirrorRequest {
  readonly start: number
  readonly end: number
  readonly access: DeviceAccess
}

/**
 * The canonical loop of every driver: reads CPU page-table entries and programs the device with them so that no invalidation is lost. Linux: the loop that
 * `Documentation/mm/hmm.rst` asks each driver to write.
 *
 *     this reader                              an invalidation
 *     seq = readBegin                          ... waits here while one that hit the notifier runs
 *     rangeFault: read, fault in
 *                                              callback: lock; setSeq; unmap, flush; unlock
 *     lock
 *     readRetry(seq): true, start again        the callback came first: what was read may be stale
 *     program                                  or it comes now, waits for the lock, and unmaps this
 *     unlock
 *
 * @param lock the user lock: the one under which the driver's callback calls `setSeq` and unmaps
 * @param program programs the device; under the lock
 * @returns false when the notifier is dying, so that nobody would tell of later changes: find another one. EFAULT, EPERM from `rangeFault`
 */
export async function mirrorRange(
  mm: Mm,
  notifier: IntervalNotifier,
  lock: Mutex,
  { start, end, access, requests, owner }: Omit<RangeFaultRequest, 'notifier' | 'seq'>,
  program: (pages: FaultedPages) => Promise<void>,
): Promise<boolean> {
  for (;;) {
    const seq = await notifier.readBegin()
    if (seq < 0) return false
    const pages = await mm.rangeFault({ notifier, seq, start, end, access, requests, owner })
    if (pages === 'busy') continue
    if (await programIfHolds(notifier, seq, lock, pages, program)) return true
  }
}

/**
 * {@link mirrorRange} for a caller that holds no lock: it waits for pages that a userfaultfd is to bring, for as long as that takes, and restarts for ever, where drivers of
 * Linux give up after a second. The notifier has to be kept by a reference meanwhile.
 */
export async function mirrorRangeUnlocked(
  mm: Mm,
  notifier: IntervalNotifier,
  lock: Mutex,
  request: Omit<RangeFaultRequest, 'notifier' | 'seq'>,
  program: (pages: FaultedPages) => Promise<void>,
): Promise<boolean> {
  for (;;) {
    const pages = await mm.rangeFaultUnlocked({ notifier, ...request })
    if (pages === 'busy') return false
    if (await programIfHolds(notifier, pages.seq, lock, pages, program)) return true
  }
}

/** The end of a turn. @returns false when an invalidation has come since `seq` */
function programIfHolds(notifier: IntervalNotifier, seq: number, lock: Mutex, pages: FaultedPages, program: (pages: FaultedPages) => Promise<void>): Promise<boolean> {
  return lock.with(async () => {
    if (await notifier.readRetry(seq)) return false
    await program(pages)
    return true
  })
}

/** {@link mirrorRange} into the page table of the host's MMU. */
export function mirrorPages({ mm, mmu }: DriverHost, notifier: IntervalNotifier, lock: Mutex, request: MirrorRequest): Promise<boolean> {
  return mirrorRange(mm, notifier, lock, request, (pages) => mmu.map(pages))
}
