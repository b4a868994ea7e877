import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE } from './constants.ts'
import { AccessFault, checkUnsigned } from './errno.ts'
import { allows, handleFaults, type Access } from './fault.ts'
import type { MmStruct } from './mm-struct.ts'
import { frameOf, PTE_PRESENT, PTE_WRITE } from './pte.ts'
import { growStackByFault } from './stack.ts'

/** Linux: `exc_page_fault()`. */
export async function faultPage(mm: MmStruct, address: number, access: Access): Promise<void> {
  checkUnsigned('fault', { address })
  const page = Math.floor(address / PAGE_SIZE) * PAGE_SIZE
  for (;;) {
    const handled = await mm.mmapLock.read(async () => {
      const area = mm.vmas.find(page)
      if (!area) return false
      if (!allows(area, access)) throw new AccessFault(`${access} of ${hex(address)}: the area does not allow it`, address, 'SIGSEGV', 2)
      await handleFaults(mm, area, page, page + PAGE_SIZE, access, { by: 'cpu' })
      return true
    })
    if (handled) return
    if (!(await growStackByFault(mm, page))) throw new AccessFault(`${access} of ${hex(address)}: no area there`, address, 'SIGSEGV', 1)
  }
}

/** What the CPU does with `bytes` of user space, page by page: the look at the entry and the access through it are one step. */
async function accessPages(
  mm: MmStruct,
  address: number,
  bytes: Uint8Array,
  access: 'read' | 'write',
  perform: (frame: number, offset: number, piece: Uint8Array) => void,
): Promise<void> {
  checkUnsigned(access, { address, end: address + bytes.length })
  const needed = access === 'write' ? PTE_WRITE : PTE_PRESENT
  for (let done = 0; done < bytes.length; ) {
    const page = Math.floor((address + done) / PAGE_SIZE) * PAGE_SIZE
    const offset = address + done - page
    const piece = bytes.subarray(done, done + PAGE_SIZE - offset)
    const performed = await mm.tableLock.section(() => {
      const entry = mm.pageTable.get(page)
      if (!(entry & needed)) return false
      perform(frameOf(entry), offset, piece)
      return true
    })
    if (performed) done += piece.length
    else await faultPage(mm, page + offset, access)
  }
}

export async function read(mm: MmStruct, address: number, length: number): Promise<Uint8Array> {
  checkUnsigned('read', { length })
  const out = new Uint8Array(length)
  await accessPages(mm, address, out, 'read', (frame, offset, piece) => { mm.frames.readInto(frame, offset, piece) })
  return out
}

export function write(mm: MmStruct, address: number, bytes: Uint8Array): Promise<void> {
  return accessPages(mm, address, bytes, 'write', (frame, offset, piece) => { mm.frames.write(frame, offset, piece) })
}
