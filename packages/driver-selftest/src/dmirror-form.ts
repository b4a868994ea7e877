import type { IntervalNotifierOps } from '@mmu-notifier/core'
import { mirrorRange, mirrorRangeUnlocked } from '@mmu-notifier/driver'
import type { Mutex } from '@mmu-notifier/kernel'
import { PAGE_SIZE, type Migration, type Mm } from '@mmu-notifier/mm'
import type { DmirrorDevice } from './dmirror-device.ts'
import type { DmirrorTable } from './dmirror-table.ts'

/** Pages that a command works on at once. */
export const BLOCK: number = 64 * PAGE_SIZE

/** What an open device is made of. */
export interface Parts {
  readonly device: DmirrorDevice
  readonly mm: Mm
  /** The user lock. Linux: `dmirror->mutex`. */
  readonly lock: Mutex
  readonly table: DmirrorTable
}

/** Which pages are faulted in, and how. `unlocked`: the mmap lock may be dropped, to wait for a userfaultfd. */
export type BlockAccess = 'read' | 'write' | 'unlocked read'

/** The canonical loop of an access, and what it asks for. */
export function loopOf(access: BlockAccess): { readonly loop: typeof mirrorRange; readonly access: 'read' | 'write' } {
  return access === 'unlocked read' ? { loop: mirrorRangeUnlocked, access: 'read' } : { loop: mirrorRange, access }
}

/** Where the forms of the driver differ: which intervals tell it of changes, and what it stores in its table when. All else is shared by the commands. */
export interface Form {
  /** Of its intervals. */
  readonly ops: IntervalNotifierOps
  /** Faults the pages of a block in, and stores them. EFAULT, EPERM. */
  faultBlock(start: number, end: number, access: BlockAccess): Promise<void>
  /** A piece has been committed to the device's memory, and is still on its way: between `pages` and `finalize`. */
  commit(migration: Migration): Promise<void>
  /** A migration to the device's memory is through. */
  arrived(start: number, end: number): Promise<void>
  /** A page leaves the device's memory while it is on its way. */
  leaves(address: number): void
  /** Takes pages for the device alone. EBUSY. */
  exclusive(start: number, end: number): Promise<void>
  /** Removes the intervals; the table is empty then. */
  close(): Promise<void>
}

/** Calls `body` for each block of `[start, end)`. */
export async function eachBlock(start: number, end: number, body: (start: number, end: number) => Promise<void>): Promise<void> {
  for (let at = start; at < end; at += BLOCK) await body(at, Math.min(at + BLOCK, end))
}
