import { hex } from '@mmu-notifier/core'
import {
  HUGE_PAGE_SIZE, MADV_COLD, MADV_COLLAPSE, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE,
  MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
  MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK, VM_DONTCOPY, VM_DONTDUMP, VM_HUGEPAGE,
  VM_HUGETLB, VM_LOCKED, VM_MERGEABLE, VM_NOHUGEPAGE, VM_RAND_READ, VM_SEQ_READ, VM_SHARED, VM_WIPEONFORK,
} from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { VmFile } from './file.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignDown, alignUp, isAligned } from './pages.ts'
import { populateStrictly } from './populate.ts'
import { splitPartlyCovered } from './split-folio.ts'
import { splitHugeAround } from './split-huge.ts'
import type { VmArea } from './vma.ts'

interface FlagChange {
  readonly set: number
  readonly clear: number
}

/** Advice that only changes the flags of areas. */
const FLAG_ADVICE: ReadonlyMap<number, FlagChange> = new Map([
  [MADV_NORMAL, { set: 0, clear: VM_RAND_READ | VM_SEQ_READ }],
  [MADV_RANDOM, { set: VM_RAND_READ, clear: VM_SEQ_READ }],
  [MADV_SEQUENTIAL, { set: VM_SEQ_READ, clear: VM_RAND_READ }],
  [MADV_DONTFORK, { set: VM_DONTCOPY, clear: 0 }],
  [MADV_DOFORK, { set: 0, clear: VM_DONTCOPY }],
  [MADV_MERGEABLE, { set: VM_MERGEABLE, clear: 0 }],
  [MADV_UNMERGEABLE, { set: 0, clear: VM_MERGEABLE }],
  [MADV_HUGEPAGE, { set: VM_HUGEPAGE, clear: VM_NOHUGEPAGE }],
  [MADV_NOHUGEPAGE, { set: VM_NOHUGEPAGE, clear: VM_HUGEPAGE }],
  [MADV_DONTDUMP, { set: VM_DONTDUMP, clear: 0 }],
  [MADV_DODUMP, { set: 0, clear: VM_DONTDUMP }],
  [MADV_WIPEONFORK, { set: VM_WIPEONFORK, clear: 0 }],
  [MADV_KEEPONFORK, { set: 0, clear: VM_WIPEONFORK }],
])

/** Valid, and without effect on a machine that neither swaps nor collapses pages into huge ones; areas are checked all the same. */
const HINTS: ReadonlySet<number> = new Set([MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE])

/** Linux: `do_madvise()`. */
export async function madvise(mm: MmStruct, address: number, length: number, advice: number): Promise<void> {
  checkUnsigned('madvise', { address, length, end: address + length })
  const flags = FLAG_ADVICE.get(advice)
  const pages = pageAdvice(advice)
  if (!flags && !pages) throw errno('EINVAL', `madvise: expected MADV_ advice, got ${advice}`)
  if (!isAligned(address)) throw errno('EINVAL', `madvise: expected a page aligned address, got ${hex(address)}`)
  if (length === 0) return
  const end = address + alignUp(length)
  if (flags) {
    return eachArea(mm, 'write', address, end, (area, from, to) => adviseFlags(mm, area, from, to, flags))
  }
  return pages?.(mm, address, end)
}

type PageAdvice = (mm: MmStruct, start: number, end: number) => Promise<void>
type VisitArea = (area: VmArea, from: number, to: number) => Promise<void>

/** Advice about pages, which leaves the areas as they are: the mmap lock for read will do. */
function pageAdvice(advice: number): PageAdvice | undefined {
  switch (advice) {
    case MADV_POPULATE_READ:
      return (mm, start, end) => populateStrictly(mm, start, end, 'read')
    case MADV_POPULATE_WRITE:
      return (mm, start, end) => populateStrictly(mm, start, end, 'write')
    case MADV_REMOVE:
      return removePages
    case MADV_DONTNEED:
      return (mm, start, end) => eachArea(mm, 'read', start, end, (area, from, to) => dontNeed(mm, area, from, to))
    case MADV_DONTNEED_LOCKED:
      return (mm, start, end) => eachArea(mm, 'read', start, end, (_, from, to) => discard(mm, from, to))
    case MADV_FREE:
      return (mm, start, end) => eachArea(mm, 'read', start, end, (area, from, to) => free(mm, area, from, to))
  }
  if (!HINTS.has(advice)) return undefined
  const splits = advice === MADV_COLD || advice === MADV_PAGEOUT
  return (mm, start, end) =>
    eachArea(mm, 'read', start, end, async (area, from, to) => {
      checkUnlocked(area, 'advice')
      if (splits) await splitPartlyCovered(mm, from, to)
    })
}

/** Visits each area with its part of the range. Holes are skipped, and reported by ENOMEM at the end. Linux: `madvise_walk_vmas()`. */
function eachArea(mm: MmStruct, mode: 'read' | 'write', start: number, end: number, visit: VisitArea): Promise<void> {
  return mm.syscall('madvise', mode, async () => {
    let covered = start
    let hole = -1
    for (const area of mm.vmas.touching(start, end)) {
      const from = Math.max(area.start, start)
      const to = Math.min(area.end, end)
      if (from > covered && hole === -1) hole = covered
      covered = to
      await visit(area, from, to)
    }
    if (covered < end && hole === -1) hole = covered
    if (hole !== -1) throw errno('ENOMEM', `madvise: nothing is mapped at ${hex(hole)}; the rest is done`)
  })
}

async function adviseFlags(mm: MmStruct, area: VmArea, start: number, end: number, { set, clear }: FlagChange): Promise<void> {
  const privateAnonymous = area.file === undefined
  if (set === VM_WIPEONFORK && !privateAnonymous) throw errno('EINVAL', 'madvise: MADV_WIPEONFORK is for private anonymous memory')
  if (set === VM_MERGEABLE && area.has(VM_SHARED | VM_HUGETLB)) return
  const flags = (area.flags & ~clear) | set
  if (area.flags === flags) return
  if (mm.mayMapHuge) await splitHugeAround(mm, start, end)
  await mm.changeAreas(() => {
    for (const part of mm.vmas.carve(start, end)) {
      part.flags = flags
      mm.vmas.merge(part)
    }
  })
}

async function dontNeed(mm: MmStruct, area: VmArea, start: number, end: number): Promise<void> {
  checkUnlocked(area, 'MADV_DONTNEED')
  if (!area.has(VM_HUGETLB)) return discard(mm, start, end)
  if (!isAligned(start, HUGE_PAGE_SIZE)) throw errno('EINVAL', `madvise: ${hex(start)} is inside a huge page of MAP_HUGETLB`)
  const whole = alignDown(end, HUGE_PAGE_SIZE)
  if (start < whole) await discard(mm, start, whole)
}

/** Emitted for empty ranges too. Linux: `madvise_dontneed_single_vma()`. */
async function discard(mm: MmStruct, start: number, end: number): Promise<void> {
  await mm.notifiers.invalidate({ start, end, event: 'clear' }, () => mm.zap(start, end))
}

/**
 * The pages may be taken when memory is short, which it never is here: until then they stay, but a huge page that is advised about in part
 * does not. A device has to let them go at once. Linux: `madvise_free_single_vma()`.
 */
async function free(mm: MmStruct, area: VmArea, start: number, end: number): Promise<void> {
  if (area.file) throw errno('EINVAL', 'madvise: MADV_FREE is for private anonymous memory')
  checkUnlocked(area, 'MADV_FREE')
  await mm.notifiers.invalidate({ start, end, event: 'clear' }, () => splitPartlyCovered(mm, start, end))
}

function checkUnlocked(area: VmArea, advice: string): void {
  if (area.has(VM_LOCKED)) throw errno('EINVAL', `madvise: ${advice} of locked memory`)
}

interface Hole {
  readonly file: VmFile
  readonly offset: number
  readonly length: number
}

/**
 * Punches a hole into the files that are mapped there: it is unmapped wherever they are mapped, so the mmap lock is given up for that.
 * Linux: `madvise_remove()`.
 */
async function removePages(mm: MmStruct, start: number, end: number): Promise<void> {
  const holes: Hole[] = []
  try {
    await eachArea(mm, 'read', start, end, async (area, from, to) => {
      checkUnlocked(area, 'MADV_REMOVE')
      if (!area.file) throw errno('EINVAL', 'madvise: MADV_REMOVE of memory without a file')
      if (!area.shared) throw errno('EACCES', 'madvise: MADV_REMOVE of a private mapping')
      holes.push({ file: area.file, offset: area.offsetOf(from), length: to - from })
    })
  } finally {
    for (const { file, offset, length } of holes) await file.punchHole(offset, length)
  }
}
