import { PAGE_SIZE, TASK_SIZE, VM_READ, VM_WRITE } from './constants.ts'
import { checkUnsigned } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignUp } from './pages.ts'
import { gapStart } from './unmapped-area.ts'
import { VmArea } from './vma.ts'

/** Linux: the system call `brk`, which reports failure by the old end. */
export async function brk(mm: MmStruct, end: number): Promise<number> {
  checkUnsigned('brk', { end })
  return mm.syscall('brk', 'write', async () => {
    const from = alignUp(mm.brk)
    const to = alignUp(end)
    if (end < mm.startBrk) return mm.brk
    if (to < from) {
      if (!mm.vmas.first(to, from)) return mm.brk
      mm.brk = end // before: a callback that throws does not keep the memory
      await mm.unmap(to, from)
    } else if (to > from) {
      if (!hasRoom(mm, from, to)) return mm.brk
      const area = new VmArea(mm, from, to, VM_READ | VM_WRITE, undefined, from / PAGE_SIZE)
      area.accounted = true
      await mm.changeAreas(() => {
        mm.vmas.add(area)
        mm.vmas.merge(area)
      })
    }
    return (mm.brk = end)
  })
}

/** A page, and the gap of a stack, stays free behind the heap. */
function hasRoom(mm: MmStruct, from: number, to: number): boolean {
  if (to > TASK_SIZE) return false
  const next = mm.vmas.first(from)
  return !next || to + PAGE_SIZE <= gapStart(next)
}
