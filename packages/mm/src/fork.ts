import { VM_DONTCOPY, VM_HUGETLB, VM_LOCKED, VM_WIPEONFORK } from './constants.ts'
import type { MmStruct } from './mm-struct.ts'
import { forkAnonVma } from './anon-vma.ts'
import { mapOwn, restoreExclusive, shareEntry, shareHugeEntry } from './entries.ts'
import type { PageTable } from './page-table.ts'
import { frameOf, isMapping, PTE_DEVICE_EXCLUSIVE, PTE_EXCLUSIVE, specialKind } from './pte.ts'
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
      const wiped = area.has(VM_WIPEONFORK)
      await parent.changeAreas(() => {
        child.vmas.add(copy, area)
        if (!wiped) forkAnonVma(copy, area)
      })
      if (!wiped && area.anonVma) await copyEntries(parent, child, area, copy)
    }
  })
}

/**
 * What somebody has pinned stays the parent's, writable as it was, and the child gets a copy at once: a copy on write would leave the page that is used by its
 * frame to the child. What a device has for itself comes back. Linux: `copy_page_range()`
 */
async function copyEntries(parent: MmStruct, child: MmStruct, area: VmArea, copy: VmArea): Promise<void> {
  const { start, end } = area
  const { frames, pageTable } = parent
  const staysOwn = (entry: number): boolean => (entry & PTE_EXCLUSIVE) !== 0 && isMapping(entry) && frames.isPinned(frameOf(entry))
  await parent.notifiers.invalidate({ start, end, event: 'protectionPage' }, () =>
    parent.eachLeaf(
      start,
      end,
      (from, to) => {
        child.pageTable.makeLeaf(from)
        const whole = area.has(VM_HUGETLB) && staysOwnInPart(pageTable, from, to, staysOwn)
        pageTable.updateRange(from, to, (address, found) => {
          const entry = specialKind(found) === PTE_DEVICE_EXCLUSIVE ? restoreExclusive(frames, area, found) : found
          if (whole || staysOwn(entry)) {
            copyPage(child, copy, address, frameOf(entry))
            return entry
          }
          const shared = shareEntry(frames, entry)
          child.pageTable.set(address, shared)
          return shared
        })
      },
      (at, entry) => {
        const shared = shareHugeEntry(frames, entry)
        pageTable.setHuge(at, shared)
        child.pageTable.setHuge(at, shared)
      },
      staysOwn,
    ),
  )
}

/** A page of MAP_HUGETLB is copied as a whole. Linux: `copy_hugetlb_page_range()`. */
function staysOwnInPart(pageTable: PageTable, from: number, to: number, staysOwn: (entry: number) => boolean): boolean {
  let found = false
  pageTable.forEachInRange(from, to, (_, entry) => { found ||= staysOwn(entry) })
  return found
}

/** ENOMEM ends the fork. Linux: `copy_present_page()`. */
function copyPage(child: MmStruct, copy: VmArea, address: number, frame: number): void {
  const page = child.frames.allocate()
  child.frames.copy(frame, page)
  mapOwn(child, copy, address, page)
}
