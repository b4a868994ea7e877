import { VM_DONTCOPY, VM_LOCKED, VM_WIPEONFORK } from './constants.ts'
import type { MmStruct } from './mm-struct.ts'
import { frameOf, PTE_EXCLUSIVE, PTE_WRITE } from './pte.ts'
import type { VmArea } from './vma.ts'

/**
 * Fills `child`, which nobody else knows yet, with a copy of the areas. Private pages become read-only in both: that is the notification.
 * What is not private comes back by faults. Linux: `dup_mmap()`.
 */
export function dupMmap(parent: MmStruct, child: MmStruct): Promise<void> {
  return parent.syscall('fork', 'write', async () => {
    for (const area of parent.vmas) {
      if (area.has(VM_DONTCOPY)) continue
      const copy = area.slice(area.start, area.end)
      copy.flags &= ~VM_LOCKED
      if (area.has(VM_WIPEONFORK)) copy.anonymous = false
      child.vmas.add(copy)
      if (copy.anonymous) await copyEntries(parent, child, area)
    }
  })
}

/** Linux: `copy_page_range()`. */
async function copyEntries(parent: MmStruct, child: MmStruct, { start, end }: VmArea): Promise<void> {
  await parent.notifiers.invalidate({ start, end, event: 'protectionPage' }, () =>
    parent.eachLeaf(start, end, (from, to) => {
      parent.pageTable.updateRange(from, to, (address, entry) => {
        const readOnly = entry & ~(PTE_WRITE | PTE_EXCLUSIVE)
        parent.frames.addMapping(frameOf(entry))
        child.pageTable.set(address, readOnly)
        return readOnly
      })
    }),
  )
}
