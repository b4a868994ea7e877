import { hex } from '@mmu-notifier/core'
import { PAGE_SIZE } from './constants.ts'
import { AccessFault, checkUnsigned, type Signal } from './errno.ts'
import { allows, handleFaults, type Access, type FaultOptions } from './fault.ts'
import type { MmStruct } from './mm-struct.ts'
import { frameOf, PTE_PRESENT, PTE_WRITE } from './pte.ts'
import { growStackByFault } from './stack.ts'

/** The signal that an access of the CPU ends in. */
export interface AccessSignal {
  readonly signal: Signal
  /** As {@link AccessFault.signalCode}. */
  readonly code: number
  readonly address: number
}

/** Nothing is mapped there; the area does not allow it. Linux: `SEGV_MAPERR`, `SEGV_ACCERR`. */
const MAPERR = 1
const ACCERR = 2
const BY_CPU: FaultOptions = { by: 'cpu', mayDropLock: true }

/** Linux: `exc_page_fault()`. */
export async function faultPage(mm: MmStruct, address: number, access: Access): Promise<void> {
  checkUnsigned('fault', { address })
  const code = await tryFault(mm, address, access)
  if (code !== 0) throw accessFault(access, address, code)
}

/** @returns the code of a SIGSEGV, or 0. What lies behind the end of a file throws. */
async function tryFault(mm: MmStruct, address: number, access: Access): Promise<number> {
  const page = Math.floor(address / PAGE_SIZE) * PAGE_SIZE
  for (;;) {
    const code = await mm.mmapLock.read(async () => {
      const area = mm.vmas.find(page)
      if (!area) return MAPERR
      if (!allows(area, access)) return ACCERR
      return (await handleFaults(mm, area, page, page + PAGE_SIZE, access, BY_CPU)) ?? 0
    })
    if (typeof code === 'object') {
      await code.wait()
      continue
    }
    if (code !== MAPERR || !(await growStackByFault(mm, page))) return code
  }
}

function accessFault(access: Access, address: number, code: number): AccessFault {
  return new AccessFault(`${access} of ${hex(address)}: ${code === MAPERR ? 'no area there' : 'the area does not allow it'}`, address, 'SIGSEGV', code)
}

/**
 * What the CPU does with `bytes` of user space, page by page: the look at the entry and the access through it are one step.
 * @returns where it ends in a SIGSEGV, if it does
 */
async function accessPages(
  mm: MmStruct,
  address: number,
  bytes: Uint8Array,
  access: 'read' | 'write',
): Promise<AccessSignal | undefined> {
  checkUnsigned(access, { address, end: address + bytes.length })
  const { frames, pageTable } = mm
  const needed = access === 'write' ? PTE_WRITE : PTE_PRESENT
  let done = 0
  const accessPage = (): boolean => {
    const at = address + done
    const page = Math.floor(at / PAGE_SIZE) * PAGE_SIZE
    const offset = at - page
    const entry = pageTable.get(page)
    if (!(entry & needed)) return false
    const piece = pieceOf(bytes, done, PAGE_SIZE - offset)
    if (access === 'write') frames.write(frameOf(entry), offset, piece)
    else frames.readInto(frameOf(entry), offset, piece)
    done += piece.length
    return true
  }
  while (done < bytes.length) {
    if (await mm.tableLock.section(accessPage)) continue
    const at = address + done
    const code = await tryFault(mm, at, access)
    if (code !== 0) return { signal: 'SIGSEGV', code, address: at }
  }
  return undefined
}

/** `length` bytes from `from` on, or those that there are. */
function pieceOf(bytes: Uint8Array, from: number, length: number): Uint8Array {
  return from === 0 && bytes.length <= length ? bytes : bytes.subarray(from, from + length)
}

/** The access of a program that handles signals: tells the one in which it ends. */
export async function tryAccess(mm: MmStruct, access: 'read' | 'write', address: number, bytes: Uint8Array): Promise<AccessSignal | undefined> {
  try {
    return await accessPages(mm, address, bytes, access)
  } catch (error) {
    if (error instanceof AccessFault) return { signal: error.signal, code: error.signalCode, address: error.address }
    throw error
  }
}

export async function read(mm: MmStruct, address: number, length: number): Promise<Uint8Array> {
  checkUnsigned('read', { length })
  const out = new Uint8Array(length)
  const signal = await accessPages(mm, address, out, 'read')
  if (signal) throw accessFault('read', signal.address, signal.code)
  return out
}

export async function write(mm: MmStruct, address: number, bytes: Uint8Array): Promise<void> {
  const signal = await accessPages(mm, address, bytes, 'write')
  if (signal) throw accessFault('write', signal.address, signal.code)
}
