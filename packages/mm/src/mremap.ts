import { hex } from '@mmu-notifier/core'
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PAGE_SIZE, TASK_SIZE, VM_LOCKED } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignUp, isAligned } from './pages.ts'
import { populate } from './populate.ts'
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
  if (newSize < oldSize) await mm.unmap(from + newSize, from + oldSize)
  if (newSize <= oldSize) return from
  const area = sourceArea(mm, remap)
  const end = from + newSize
  if (area.end === from + oldSize && end <= TASK_SIZE && !mm.vmas.first(area.end, end)) {
    mm.vmas.extend(area, end)
    return from
  }
  if (!(flags & MREMAP_MAYMOVE)) throw errno('ENOMEM', `mremap: no room behind ${hex(area.end)}, and MREMAP_MAYMOVE is not set`)
  return move(mm, area, remap, findPlace(mm, newSize))
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
    await mm.unmap(from + newSize, from + oldSize)
    oldSize = newSize
  }
  const area = sourceArea(mm, { ...remap, oldSize })
  return move(mm, area, { ...remap, oldSize }, fixed ? to : findPlace(mm, newSize))
}

/** The area that holds all of the source. Linux: `vma_to_resize()`. */
function sourceArea(mm: MmStruct, { from, oldSize }: Remap): VmArea {
  const area = mm.vmas.find(from)
  if (!area) throw errno('EFAULT', `mremap: nothing is mapped at ${hex(from)}`)
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
  if (!area.file && !area.anonVma) moved.pgoff = to / PAGE_SIZE // no page is anywhere: the better to join with neighbours
  mm.vmas.add(moved)
  cloneAnonVma(moved, area)
  mm.vmas.merge(moved)
  if (oldSize === 0) return to
  const end = from + oldSize
  await mm.notifiers.invalidate({ start: from, end, event: 'unmap' }, () => moveEntries(mm, from, end, to))
  if (!(flags & MREMAP_DONTUNMAP)) await mm.unmap(from, end)
  else leaveEmpty(mm, from, end)
  return to
}

/** The old area stays: as one without private pages, if all of it has moved. */
function leaveEmpty(mm: MmStruct, start: number, end: number): void {
  const left = mm.vmas.find(start)
  if (!left) return
  left.flags &= ~VM_LOCKED
  if (left.start === start && left.end === end) unlinkAnonVma(left)
}

/** Tables that are there come into being at the new place, even if they are empty. Linux: `move_page_tables()`. */
function moveEntries(mm: MmStruct, from: number, end: number, to: number): Promise<void> {
  return mm.eachLeaf(from, end, (start, stop) => {
    mm.pageTable.makeLeaf(start - from + to)
    mm.pageTable.makeLeaf(stop - PAGE_SIZE - from + to)
    mm.pageTable.clearRange(start, stop, (address, entry) => { mm.pageTable.set(address - from + to, entry) })
  })
}
