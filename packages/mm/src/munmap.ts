import { hex } from '@mmu-notifier/core'
import { TASK_SIZE } from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import type { MmStruct } from './mm-struct.ts'
import { alignUp, isAligned } from './pages.ts'

/** Linux: `do_vmi_munmap()`. */
export async function munmap(mm: MmStruct, address: number, length: number): Promise<void> {
  checkUnsigned('munmap', { address, length })
  if (!isAligned(address) || length === 0 || address > TASK_SIZE || length > TASK_SIZE - address) {
    const got = `${hex(address)} and ${hex(length)}`
    throw errno('EINVAL', `munmap: expected a page aligned address and a length above 0, below ${hex(TASK_SIZE)}, got ${got}`)
  }
  await mm.syscall('munmap', 'write', () => mm.unmap(address, address + alignUp(length)))
}
