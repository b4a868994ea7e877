import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import { getUserPages, putPages } from './get-user-pages.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'
import { frameOf, isMapping, makePte, PTE_DEVICE_EXCLUSIVE, PTE_EXCLUSIVE, PTE_SWAP_WRITE, PTE_WRITE, specialKind } from './pte.ts'
import { eachMapping } from './reverse-map.ts'

/** Pages that a device has for itself, until their next invalidation. Linux: the `pages` of `make_device_exclusive_range()`. */
export interface ExclusivePages {
  /** One for each page that could be had: fewer than asked for when one of them cannot be written. 0 for one that stays shared. */
  readonly frames: Int32Array
  /** Gives locks and references back: call it when the device is programmed. The CPU cannot end the exclusive access before. */
  release(): Promise<void>
}

/** Linux: `make_device_exclusive_range()`. Under the mmap lock. */
export async function makeDeviceExclusive(mm: MmStruct, start: number, end: number, owner: unknown): Promise<ExclusivePages> {
  checkUnsigned('makeDeviceExclusive', { start, end })
  mm.mmapLock.assertHeld()
  if (!isAligned(start) || !isAligned(end) || start >= end) {
    throw errno('EINVAL', `makeDeviceExclusive: expected whole pages, got [${hex(start)}, ${hex(end)})`)
  }
  const got = await getUserPages(mm, start, end, { access: 'write', split: true })
  const frames = Int32Array.from(got)
  const release = async (): Promise<void> => {
    const held = frames.filter((frame) => frame !== 0)
    await mm.memory.unlockFrames(held)
    await putPages(mm.memory, held)
  }
  let i = 0
  try {
    for (; i < frames.length; i++) {
      if (await makePageExclusive(mm, start + i * PAGE_SIZE, frames[i], owner)) continue
      await putPages(mm.memory, [frames[i]])
      frames[i] = 0
    }
  } catch (error) {
    // A callback has thrown. What is exclusive by now stays so, until the next access of the CPU; but nobody will release it.
    await putPages(mm.memory, frames.subarray(i))
    frames.fill(0, i)
    await release()
    throw error
  }
  return { frames, release }
}

/**
 * On success the page is locked. A huge page is taken as one, with all that it maps, and only by its head. Linux:
 * `folio_make_device_exclusive()`, and the test for `PageTail()` before it.
 */
async function makePageExclusive(mm: MmStruct, address: number, frame: number, owner: unknown): Promise<boolean> {
  const { frames, tableLock, memory } = mm
  if (!(await tableLock.section(() => frames.head(frame) === frame && frames.tryLock(frame)))) return false
  let made = false
  try {
    made = frames.isAnonymous(frame) && (await takeMappings(mm, address, frame, owner))
    return made
  } finally {
    if (!made) await memory.unlockFrames([frame])
  }
}

/** @returns whether all mappings of the page are gone, and that at `address` was writable */
async function takeMappings(mm: MmStruct, address: number, frame: number, owner: unknown): Promise<boolean> {
  const { frames, memory } = mm
  let lost = 0
  const unmapped = await eachMapping(memory, frame, { event: 'exclusive', owner }, (other, start, end) => {
    for (let at = start; at < end; at += PAGE_SIZE) {
      const entry = other.pageTable.get(at)
      const page = frameOf(entry)
      if (entry === 0 || frames.head(page) !== frame) continue
      if (specialKind(entry) === PTE_DEVICE_EXCLUSIVE) return false
      if (!isMapping(entry)) continue
      if (other === mm && at === address && entry & PTE_WRITE) lost++
      const writable = entry & PTE_WRITE ? PTE_SWAP_WRITE : 0
      other.pageTable.set(at, makePte(page, PTE_DEVICE_EXCLUSIVE | writable | (entry & PTE_EXCLUSIVE)))
      frames.detachMapping(page)
    }
    return true
  })
  return lost > 0 && unmapped
}
