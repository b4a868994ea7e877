import type { MmStruct } from './mm-struct.ts'

/**
 * The last user is gone. Drivers hear of it twice: 'release' before anything happened, and now 'unmap' around the end of all entries. Linux: the rest of `exit_mmap()`.
 */
export async function exitMmap(mm: MmStruct): Promise<void> {
  await mm.locked('write', async () => {
    mm.ended = true
    if (mm.vmas.size === 0) return
    const areas = [...mm.vmas]
    await mm.notifiers.invalidate({ start: 0, end: Number.MAX_SAFE_INTEGER, event: 'unmap' }, () => mm.zap(0, mm.pageTable.limit))
    for (const area of areas) mm.remove(area)
    await mm.tableLock.section(() => { mm.pageTable.freeTables(0, mm.pageTable.limit) })
  })
}
