import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE, STACK_GUARD_GAP, STACK_LIMIT, VM_ACCESS, VM_GROWSDOWN } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'

export async function growStack(mm: MmStruct, start: number): Promise<void> {
  checkUnsigned('growStack', { start })
  const failed = await mm.syscall('growStack', 'write', () => mm.changeAreas(() => expand(mm, start)))
  if (failed) throw errno(failed, `growStack: expected an area that grows down above ${hex(start)}, and room for it`)
}

/** A fault outside of every area: true when the stack grew to there. Linux: `lock_mm_and_find_vma()`. */
export async function growStackByFault(mm: MmStruct, address: number): Promise<boolean> {
  const stack = mm.vmas.first(address)
  if (!stack?.has(VM_GROWSDOWN) || stack.end - address > STACK_LIMIT) return false
  return mm.syscall('fault', 'write', () => mm.changeAreas(() => expand(mm, address) === undefined))
}

/** Linux: `expand_downwards()`. */
function expand(mm: MmStruct, address: number): 'EFAULT' | 'ENOMEM' | undefined {
  const start = Math.floor(address / PAGE_SIZE) * PAGE_SIZE
  const stack = mm.vmas.first(start)
  if (!stack?.has(VM_GROWSDOWN)) return 'EFAULT'
  if (start >= stack.start) return undefined
  if (stack.offsetOf(start) < 0) return 'ENOMEM'
  const previous = mm.vmas.touching(Math.max(start - STACK_GUARD_GAP, 0), start).at(-1) // whatever lies behind it
  if (previous?.has(VM_ACCESS) && !previous.has(VM_GROWSDOWN)) return 'ENOMEM'
  mm.vmas.resize(stack, start, stack.end)
  return undefined
}
