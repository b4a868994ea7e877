import type { MmStruct } from './mm-struct.ts'

/**
 * The last user is gone. Drivers hear of it twice: 'release' before anything happened, and now 'unmap' around the end of all entries. Linux: the rest of `exit_mmap()`.
 */
export async function exitMmap(mm: MmStruct): Promise<void> {
  await mm.locked('write', async () => {
    mm.ended = true
    const areas = [...mm.vmas]
    try {
      if (areas.length > 0) await mm.carryOut({ start: 0, end: Number.MAX_SAFE_INTEGER, event: 'unmap' }, () => mm.zap(0, mm.pageTable.limit))
    } finally {
      // Whoever has found one of them by its pages is in an invalidation under this lock, which the subscriptions have to outlive; also if a munmap
      // has taken the area out since, so that none is left. Pairs with eachMapping(). Linux: unlink_anon_vmas().
      await mm.life.rmapLock.write(() => mm.removeAreas(areas))
      if (areas.length > 0) await mm.tableLock.section(() => { mm.pageTable.freeTables(0, mm.pageTable.limit) })
    }
  })
}
