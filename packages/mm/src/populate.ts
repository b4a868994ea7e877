import { hex } from '@mmu-notifier/core'
import { VM_READ, VM_WRITE } from './constants.ts'
import { AccessFault, errno } from './errno.ts'
import { allows, handleFaults, type FaultOptions } from './fault.ts'
import type { MmStruct } from './mm-struct.ts'
import type { VmArea } from './vma.ts'

const POPULATE: FaultOptions = { by: 'populate', missingOnly: true }

/**
 * Makes the pages of `[start, end)` present, writable where they are private and may be; what cannot be is left out. Linux:
 * `__mm_populate()` with `ignore_errors`.
 */
export function populate(mm: MmStruct, start: number, end: number): Promise<void> {
  return mm.mmapLock.read(async () => {
    for (const area of mm.vmas.touching(start, end)) {
      if (!allows(area, 'read')) continue
      const access = area.has(VM_WRITE) && !area.shared ? 'write' : 'read'
      const from = Math.max(start, area.start)
      await populateArea(mm, area, from, from, Math.min(end, area.end), access)
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
      const failure = await populateArea(mm, area, start, at, to, access)
      if (failure) throw failure
      at = to
    }
    if (at < end) throw errno('ENOMEM', `madvise: nothing is mapped at ${hex(at)}`)
  })
}

/**
 * A page that cannot be had ends a round with the pages before it; then it is tried once more, because it is the first of the next round.
 * @param round where the round began, which may be in an area before this one
 * @returns why the page that ends it cannot be had
 */
async function populateArea(
  mm: MmStruct,
  area: VmArea,
  round: number,
  start: number,
  end: number,
  access: 'read' | 'write',
): Promise<AccessFault | undefined> {
  for (let at = start, began = round; ; ) {
    try {
      await handleFaults(mm, area, at, end, access, POPULATE)
      return undefined
    } catch (error) {
      if (!(error instanceof AccessFault)) throw error
      if (error.address === began) return error
      at = began = error.address
    }
  }
}
