import { MADV_POPULATE_READ, MADV_POPULATE_WRITE, MREMAP_DONTUNMAP, PROT_EXEC, PROT_WRITE, type Mm, type VmFile } from '@mmu-notifier/mm'
import type { MemoryCall } from './calls.ts'
import { mappedIn, pageAlign, pagesFrom, type Piece, type Range } from './ranges.ts'

/** The ranges that a call in flight frees when it is done. */
export function freedBy(call: MemoryCall, brk: number): Range[] {
  switch (call.name) {
    case 'munmap':
      return [pagesFrom(call.address, call.length)]
    case 'mremap': {
      const old = pagesFrom(call.address, call.oldLength)
      if (call.result !== call.address) return call.flags & MREMAP_DONTUNMAP ? [] : [old]
      return [{ start: call.address + pageAlign(call.newLength), end: old.end }]
    }
    case 'brk':
      return [{ start: pageAlign(call.result), end: pageAlign(brk) }]
    default:
      return []
  }
}

/** Whether mprotect may meet EACCES there: how the file was opened and where it lies decide what its areas may ever be. Linux: VM_MAYWRITE, VM_MAYEXEC. */
export function mayRefuse({ prot, shared, file }: Piece, wanted: number): boolean {
  if (!file || file.name.startsWith('/dev/zero')) return false
  const more = wanted & ~prot
  return (more & PROT_EXEC) !== 0 || ((more & PROT_WRITE) !== 0 && shared)
}

export async function populate(mm: Mm, range: Range): Promise<void> {
  for (const { start, end, prot, shared } of mappedIn(mm, range)) {
    if (prot === 0) continue
    await mm.madvise(start, end - start, prot & PROT_WRITE && !shared ? MADV_POPULATE_WRITE : MADV_POPULATE_READ)
  }
}

/** What lies behind `size` is lost; how far the file grows again nobody tells. */
export async function forgetBehind(file: VmFile | undefined, size: number): Promise<void> {
  await file?.truncate(size)
  await file?.truncate(Number.MAX_SAFE_INTEGER)
}
