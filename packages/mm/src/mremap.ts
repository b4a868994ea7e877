import { hex } from '@mmu-notifier/core'
import { HUGE_PAGE_SIZE, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PAGE_SIZE, TASK_SIZE, VM_HUGETLB, VM_LOCKED } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignDown, alignUp, isAligned } from './pages.ts'
import { populate } from './populate.ts'
import { splitHugeEntry } from './split-huge.ts'
import type { VmArea } from './vma.ts'
import { cloneAnonVma, unlinkAnonVma } from './anon-vma.ts'

/** All in bytes, addresses and sizes page aligned. */
interface Remap {
  readonly from: number
  readonly oldSize: number
  readonly newSize: number
  readonly flags: number
  /** For MREMAP_FIXED. */
  readonly to: number
}

/** Linux: the system call `mremap`. */
export async function mremap(
  mm: MmStruct,
  oldAddress: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddress: number,
): Promise<number> {
  checkUnsigned('mremap', { oldAddress, oldLength, newLength, flags, newAddress })
  const remap: Remap = { from: oldAddress, oldSize: alignUp(oldLength), newSize: alignUp(newLength), flags, to: newAddress }
  checkRemap(remap)
  const { start, locked } = await mm.syscall('mremap', 'write', async () => {
    if (!mm.vmas.find(oldAddress)) throw errno('EFAULT', `mremap: nothing is mapped at ${hex(oldAddress)}`)
    const start = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? await moveTo(mm, remap) : await resize(mm, remap)
    return { start, locked: mm.vmas.find(start)?.has(VM_LOCKED) }
  })
  if (locked && remap.newSize > remap.oldSize) await populate(mm, start + remap.oldSize, start + remap.newSize)
  return start
}

function checkRemap({ from, oldSize, newSize, flags }: Remap): void {
  const known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP
  if (flags & ~known) throw errno('EINVAL', `mremap: expected MREMAP_ flags, got ${hex(flags)}`)
  const moves = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0
  if (moves && !(flags & MREMAP_MAYMOVE)) throw errno('EINVAL', 'mremap: MREMAP_FIXED and MREMAP_DONTUNMAP need MREMAP_MAYMOVE')
  if (flags & MREMAP_DONTUNMAP && oldSize !== newSize) throw errno('EINVAL', 'mremap: MREMAP_DONTUNMAP does not resize')
  if (!isAligned(from)) throw errno('EINVAL', `mremap: expected a page aligned address, got ${hex(from)}`)
  if (newSize === 0) throw errno('EINVAL', 'mremap: the new length is 0')
}

/** In place if it can be. Shrinking always can, whatever is mapped behind the first page. */
async function resize(mm: MmStruct, remap: Remap): Promise<number> {
  const { from, oldSize, newSize, flags } = remap
  if (newSize < oldSize) await shrink(mm, remap)
  if (newSize <= oldSize) return from
  const area = sourceArea(mm, remap)
  const end = from + newSize
  if (area.end === from + oldSize && end <= TASK_SIZE && !mm.vmas.first(area.end, end)) {
    await mm.changeAreas(() => { mm.vmas.extend(area, end) })
    return from
  }
  if (!(flags & MREMAP_MAYMOVE)) throw errno('ENOMEM', `mremap: no room behind ${hex(area.end)}, and MREMAP_MAYMOVE is not set`)
  return move(mm, area, remap, findPlace(mm, newSize))
}

/** EINVAL, as of munmap, when the old place leaves user space. */
async function shrink(mm: MmStruct, { from, oldSize, newSize }: Remap): Promise<void> {
  const end = from + oldSize
  if (end > TASK_SIZE) throw errno('EINVAL', `mremap: expected an old place below ${hex(TASK_SIZE)}, got one that ends at ${hex(end)}`)
  await mm.unmap(from + newSize, end)
}

/** With MREMAP_FIXED the new place is unmapped first, and stays so when the source turns out to be bad. Linux: `mremap_to()`. */
async function moveTo(mm: MmStruct, remap: Remap): Promise<number> {
  const { from, newSize, flags, to } = remap
  let { oldSize } = remap
  const fixed = (flags & MREMAP_FIXED) !== 0
  if (fixed) {
    const inUserSpace = newSize <= TASK_SIZE && to <= TASK_SIZE - newSize
    if (!isAligned(to) || !inUserSpace) throw errno('EINVAL', `mremap: expected a page aligned new address in user space, got ${hex(to)}`)
    const overlap = from + oldSize > to && to + newSize > from
    if (overlap) throw errno('EINVAL', `mremap: the old and the new place overlap at ${hex(Math.max(from, to))}`)
    await mm.unmap(to, to + newSize)
  }
  if (oldSize > newSize) {
    await shrink(mm, remap)
    oldSize = newSize
  }
  const area = sourceArea(mm, { ...remap, oldSize })
  return move(mm, area, { ...remap, oldSize }, fixed ? to : findPlace(mm, newSize))
}

/** The area that holds all of the source. Linux: `vma_to_resize()`. */
function sourceArea(mm: MmStruct, { from, oldSize }: Remap): VmArea {
  const area = mm.vmas.find(from)
  if (!area) throw errno('EFAULT', `mremap: nothing is mapped at ${hex(from)}`)
  if (area.has(VM_HUGETLB)) throw errno('EINVAL', 'mremap: memory of MAP_HUGETLB is not moved')
  if (oldSize === 0 && !area.shared) throw errno('EINVAL', 'mremap: an old length of 0 duplicates a mapping, which must be shared')
  const end = from + oldSize
  if (end > area.end) throw errno('EFAULT', `mremap: [${hex(from)}, ${hex(end)}) is more than the area that ends at ${hex(area.end)}`)
  return area
}

function findPlace(mm: MmStruct, size: number): number {
  const place = mm.vmas.findUnmapped(size)
  if (place === -1) throw errno('ENOMEM', `mremap: no hole of ${hex(size)} bytes`)
  return place
}

/**
 * The entries move with their pages, under 'unmap' of the old place; there is no event for the new one, where nothing was. Then the old
 * area goes like any other, with its own 'unmap', unless MREMAP_DONTUNMAP leaves it empty. An old size of 0 moves nothing. Linux:
 * `move_vma()`.
 */
async function move(mm: MmStruct, area: VmArea, { from, oldSize, newSize, flags }: Remap, to: number): Promise<number> {
  const moved = area.slice(from, from + newSize)
  moved.start = to
  moved.end = to + newSize
  moved.setUserfaultfd(undefined)
  if (!area.file && !area.anonVma) moved.pgoff = to / PAGE_SIZE // no page is anywhere: the better to join with neighbours
  await mm.changeAreas(() => {
    mm.vmas.add(moved)
    cloneAnonVma(moved, area)
    mm.vmas.merge(moved)
  })
  if (oldSize === 0) return to
  const end = from + oldSize
  const below = alignedDown(mm, from, to, oldSize)
  try {
    await mm.notifiers.invalidate({ start: from - below, end, event: 'unmap' }, () => moveEntries(mm, from - below, end, to - below))
  } catch (error) {
    await mm.unmap(to, to + newSize) // a callback has thrown: all entries are at the old place
    throw error
  }
  if (!(flags & MREMAP_DONTUNMAP)) await mm.unmap(from, end)
  else await mm.changeAreas(() => { leaveEmpty(mm, from, end) })
  return to
}

/** The old area stays: as one without private pages, if all of it has moved. */
function leaveEmpty(mm: MmStruct, start: number, end: number): void {
  const left = mm.vmas.find(start)
  if (!left) return
  left.flags &= ~VM_LOCKED
  if (left.start === start && left.end === end) unlinkAnonVma(left)
}

/**
 * Tables that are there come into being at the new place, even if they are empty; where both places are aligned they move as they are, and
 * so do huge pages, which else are split. If a callback of that throws, what has moved comes back; no huge page has to be split for it. Linux:
 * `move_page_tables()`, and what `move_vma()` does after an error.
 */
async function moveEntries(mm: MmStruct, from: number, end: number, to: number): Promise<void> {
  const { pageTable, tableLock } = mm
  let splitAt = -1
  let at = from
  try {
    while (at < end) {
      at = await tableLock.section(() => {
        const source = pageTable.nextTable(at, end)
        if (source === -1) return end
        const target = source - from + to
        const room = alignDown(target, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE - target
        const stop = Math.min(pageTable.pieceEnd(source), end, source + room)
        if (stop - source === HUGE_PAGE_SIZE && pageTable.moveLeaf(source, target)) return stop
        if (pageTable.getHuge(source) !== 0) return (splitAt = source)
        pageTable.makeLeaf(target)
        pageTable.clearRange(source, stop, (address, entry) => { pageTable.set(address - from + to, entry) })
        return stop
      })
      if (at === splitAt) await splitHugeEntry(mm, at)
    }
  } catch (error) {
    if (at > from) await moveEntries(mm, to, to + at - from, from)
    throw error
  }
}

/**
 * The bytes below an area that belong to nobody and can be moved with it: then its first table moves as it is. Linux: `try_realign_addr()`.
 */
function alignedDown(mm: MmStruct, from: number, to: number, size: number): number {
  const below = from % HUGE_PAGE_SIZE
  if (below !== to % HUGE_PAGE_SIZE || size < HUGE_PAGE_SIZE - below) return 0
  const free = (start: number): boolean => mm.vmas.find(start)?.start === start && !mm.vmas.first(start - below, start)
  return below > 0 && free(from) && free(to) ? below : 0
}
