import { hex } from '@mmu-notifier/core'
import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { VM_READ, VM_WRITE } from './constants.ts'
import { errno } from './errno.ts'
import { allows, handleFaults } from './fault.ts'
import type { MmStruct } from './mm-struct.ts'

/**
 * Makes the pages of `[start, end)` present, writable where they are private and may be; what cannot be is left out. Linux:
 * `__mm_populate()` with `ignore_errors`.
 */
export function populate(mm: MmStruct, start: number, end: number): Promise<void> {
  return mm.mmapLock.read(async () => {
    for (const area of mm.vmas.touching(start, end)) {
      if (!allows(area, 'read')) continue
      const access = area.has(VM_WRITE) && !area.shared ? 'write' : 'read'
      try {
        await handleFaults(mm, area, Math.max(start, area.start), Math.min(end, area.end), access, true)
      } catch (error) {
        if (!isMmuNotifierError(error, 'EFAULT')) throw error
      }
    }
  })
}

/** MADV_POPULATE_READ, MADV_POPULATE_WRITE: stops at the first page that cannot be had. Linux: `madvise_populate()`. */
export function populateStrictly(mm: MmStruct, start: number, end: number, access: 'read' | 'write'): Promise<void> {
  return mm.syscall('madvise', 'read', async () => {
    let at = start
    for (const area of mm.vmas.touching(start, end)) {
      if (area.start > at) break
      const allowed = area.has(access === 'write' ? VM_WRITE : VM_READ)
      if (!allowed) throw errno('EINVAL', `madvise: the area at ${hex(at)} does not allow to ${access}`)
      const to = Math.min(end, area.end)
      await handleFaults(mm, area, at, to, access, true)
      at = to
    }
    if (at < end) throw errno('ENOMEM', `madvise: nothing is mapped at ${hex(at)}`)
  })
}
