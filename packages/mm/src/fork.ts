import { VM_DONTCOPY, VM_LOCKED, VM_WIPEONFORK } from './constants.ts'
import type { MmStruct } from './mm-struct.ts'
import { forkAnonVma } from './anon-vma.ts'
import { shareEntry, shareHugeEntry } from './entries.ts'
import type { VmArea } from './vma.ts'

/**
 * Fills `child`, which nobody else knows yet, with a copy of the areas. Private pages become read-only in both: that is the notification.
 * What is not private comes back by faults. Linux: `dup_mmap()`.
 */
export function dupMmap(parent: MmStruct, child: MmStruct): Promise<void> {
  return parent.syscall('fork', 'write', async () => {
    for (const area of parent.vmas) {
      if (area.has(VM_DONTCOPY)) continue
      const copy = area.slice(area.start, area.end, child)
      copy.flags &= ~VM_LOCKED
      copy.setUserfaultfd(undefined)
      child.vmas.add(copy, area)
      if (area.has(VM_WIPEONFORK)) continue
      forkAnonVma(copy, area)
      if (area.anonVma) await copyEntries(parent, child, area)
    }
  })
}

/** Linux: `copy_page_range()`. */
async function copyEntries(parent: MmStruct, child: MmStruct, area: VmArea): Promise<void> {
  const { start, end } = area
  await parent.notifiers.invalidate({ start, end, event: 'protectionPage' }, () =>
    parent.eachLeaf(
      start,
      end,
      (from, to) => {
        child.pageTable.makeLeaf(from)
        parent.pageTable.updateRange(from, to, (address, entry) => {
          const shared = shareEntry(parent.frames, area, entry)
          child.pageTable.set(address, shared)
          return shared
        })
      },
      (at, entry) => {
        const shared = shareHugeEntry(parent.frames, entry)
        parent.pageTable.setHuge(at, shared)
        child.pageTable.setHuge(at, shared)
      },
    ),
  )
}
