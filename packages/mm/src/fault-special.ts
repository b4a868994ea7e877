import { hex } from '@mmu-notifier/core'
import { isErrno } from '@mmu-notifier/kernel'
import { PAGE_SIZE } from './constants.ts'
import { restoreExclusive } from './entries.ts'
import { AccessFault } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { frameOf } from './pte.ts'
import type { VmArea } from './vma.ts'

/*
 * Faults on entries that are not present, under the mmap lock. The page is kept by a reference, because the entry may change as soon as the
 * page-table lock is released. Each returns when it is worth to look at the entry again.
 */

/**
 * The driver of the device brings the page back, unless somebody has it locked: it could not then, and who has it locked may be about to do the
 * same. A SIGBUS when it fails. Linux: `do_swap_page()` of a device-private entry.
 */
export async function faultDevicePrivate(mm: MmStruct, address: number, entry: number): Promise<void> {
  const frame = frameOf(entry)
  const { frames, memory } = mm
  const device = await mm.tableLock.section(() => {
    if (mm.pageTable.get(address) !== entry) return undefined
    if (frames.isLocked(frame)) return 'locked'
    frames.get(frame)
    return frames.deviceOf(frame)
  })
  if (device === undefined) return
  if (device === 'locked') return memory.frameWaiters.until(() => !frames.isLocked(frame))
  try {
    await device.migrateToRam({ mm: mm.mm, address, frame })
  } catch (error) {
    if (!isErrno(error)) throw error
    throw new AccessFault(`${hex(address)}: the device does not give the page back`, address, 'SIGBUS', 2, error)
  } finally {
    await mm.tableLock.section(() => { frames.put(frame) })
  }
}

/** The device loses its exclusive access: it is told, then the entry maps the page again. Linux: `remove_device_exclusive_entry()`. */
export async function faultExclusive(mm: MmStruct, area: VmArea, address: number, entry: number): Promise<void> {
  const frame = frameOf(entry)
  const found = await mm.tableLock.section(() => {
    if (mm.pageTable.get(address) !== entry) return false
    mm.frames.get(frame)
    return true
  })
  if (!found) return
  await mm.memory.lockFrame(frame)
  try {
    await mm.notifiers.invalidate({ start: address, end: address + PAGE_SIZE, event: 'exclusive' }, () =>
      mm.tableLock.section(() => {
        if (mm.pageTable.get(address) === entry) mm.pageTable.set(address, restoreExclusive(mm.frames, area, entry))
      }),
    )
  } finally {
    await mm.memory.unlockFrames([frame])
    await mm.tableLock.section(() => { mm.frames.put(frame) })
  }
}

/** The page of a migration entry is locked until the entry goes. Linux: `migration_entry_wait()`. */
export function waitForMigration({ memory, frames }: MmStruct, entry: number): Promise<void> {
  return memory.frameWaiters.until(() => !frames.isLocked(frameOf(entry)))
}
