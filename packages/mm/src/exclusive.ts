import { hex } from '@mmu-notifier/core'
import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { PAGE_SIZE, VM_READ, VM_WRITE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import { handleFaults } from './fault.ts'
import type { MmStruct } from './mm-struct.ts'
import { isAligned } from './pages.ts'
import { frameOf, isHuge, isMapping, makePte, PTE_DEVICE_EXCLUSIVE, PTE_EXCLUSIVE, PTE_PRESENT, PTE_SWAP_WRITE, PTE_WRITE, specialKind } from './pte.ts'
import { eachMapping } from './reverse-map.ts'
import { splitHugeEntry } from './split-huge.ts'

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
  for (let i = 0; i < frames.length; i++) {
    if (await makePageExclusive(mm, start + i * PAGE_SIZE, frames[i], owner)) continue
    const frame = frames[i]
    await mm.tableLock.section(() => { mm.frames.put(frame) })
    frames[i] = 0
  }
  return {
    frames,
    async release() {
      const held = frames.filter((frame) => frame !== 0)
      await mm.memory.unlockFrames(held)
      await mm.tableLock.section(() => {
        for (const frame of held) mm.frames.put(frame)
      })
    },
  }
}

interface GetOptions {
  readonly access: 'read' | 'write'
  /** No page is to be in a huge entry. Linux: FOLL_SPLIT_PMD. */
  readonly split?: boolean
}

/** @returns pages with a reference each, up to the first that does not allow the access. Linux: `get_user_pages_remote()` */
export async function getUserPages(mm: MmStruct, start: number, end: number, { access, split = false }: GetOptions): Promise<number[]> {
  const needed = access === 'write' ? PTE_WRITE : PTE_PRESENT
  const got: number[] = []
  for (let at = start; at < end; ) {
    await mm.tableLock.section(() => {
      for (; at < end; at += PAGE_SIZE) {
        const entry = mm.pageTable.get(at)
        if (!(entry & needed) || (split && isHuge(entry))) return
        mm.frames.get(frameOf(entry))
        got.push(frameOf(entry))
      }
    })
    if (at === end) break
    const area = mm.vmas.find(at)
    if (!area?.has(access === 'write' ? VM_WRITE : VM_READ)) break
    if (split && mm.pageTable.getHuge(at) !== 0) {
      await splitHugeEntry(mm, at)
      continue
    }
    try {
      await handleFaults(mm, area, at, at + PAGE_SIZE, access, { by: 'remote', missingOnly: true })
    } catch (error) {
      if (!isMmuNotifierError(error, 'EFAULT')) throw error
      break
    }
  }
  return got
}

/**
 * On success the page is locked. A huge page is taken as one, with all that it maps, and only by its head. Linux:
 * `folio_make_device_exclusive()`, and the test for `PageTail()` before it.
 */
async function makePageExclusive(mm: MmStruct, address: number, frame: number, owner: unknown): Promise<boolean> {
  const { frames, tableLock, memory } = mm
  if (!(await tableLock.section(() => frames.head(frame) === frame && frames.tryLock(frame)))) return false
  let lost = 0
  if (frames.isAnonymous(frame)) {
    await eachMapping(memory, frame, { event: 'exclusive', owner }, (other, start, end) => {
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
  }
  if (lost > 0 && frames.folioMappings(frame) === 0) return true
  await memory.unlockFrames([frame])
  return false
}
