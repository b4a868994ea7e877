import { ArgumentDecoder, type RecordedFile } from './arguments.ts'
import { quote, type Location } from './error.ts'
import { CLONE, decodeNumber, FALLOC, MADV, MAP, MCL, MLOCK, MREMAP, PROT, SHM } from './flags.ts'
import type { CallResult } from './parse.ts'

/**
 * A call that changes an address space, or who uses one: addresses and lengths in bytes as the program gave them, flags as the numbers of
 * x86-64. `result` is what the kernel returned; calls without it return 0.
 */
export type MemoryCall =
  | MmapCall
  | MremapCall
  | { readonly name: 'munmap'; readonly address: number; readonly length: number }
  | { readonly name: 'mprotect'; readonly address: number; readonly length: number; readonly prot: number }
  | { readonly name: 'madvise'; readonly address: number; readonly length: number; readonly advice: number }
  /** `end` 0 asks only. */
  | { readonly name: 'brk'; readonly end: number; readonly result: number }
  | { readonly name: 'remap_file_pages'; readonly address: number; readonly length: number; readonly pgoff: number }
  | { readonly name: 'mlock'; readonly address: number; readonly length: number; readonly onFault: boolean }
  | { readonly name: 'mlockall'; readonly flags: number }
  | { readonly name: 'munlockall' }
  | { readonly name: 'shmget'; readonly key: string; readonly size: number; readonly result: number }
  | { readonly name: 'shmat'; readonly id: number; readonly flags: number; readonly result: number }
  | { readonly name: 'shmdt'; readonly address: number }
  | { readonly name: 'ftruncate'; readonly file: RecordedFile; readonly length: number }
  | { readonly name: 'fallocate'; readonly file: RecordedFile; readonly mode: number; readonly offset: number; readonly length: number }
  | { readonly name: 'io_setup' }
  /** clone, clone3, fork, vfork; `result` is the new task. */
  | { readonly name: 'clone'; readonly flags: number; readonly result: number }
  | { readonly name: 'execve' }

export interface MmapCall {
  readonly name: 'mmap'
  readonly length: number
  readonly prot: number
  readonly flags: number
  /** Undefined for anonymous memory. */
  readonly file: RecordedFile | undefined
  /** Bytes. */
  readonly offset: number
  /** Where the mapping is; the address that the program asked for is this one or does not matter. */
  readonly result: number
}

export interface MremapCall {
  readonly name: 'mremap'
  readonly address: number
  readonly oldLength: number
  readonly newLength: number
  readonly flags: number
  readonly result: number
}

type Decode = (d: ArgumentDecoder) => MemoryCall

const clone = (flags: (d: ArgumentDecoder) => number): Decode => (d) => ({ name: 'clone', flags: flags(d), result: d.result })

const protect: Decode = (d) => {
  const address = d.pageAddress(0)
  return { name: 'mprotect', address, length: d.length(1, address), prot: d.flags(2, 'prot', PROT) }
}

const lock = (flags: boolean): Decode => (d) => {
  const address = d.address(0)
  return { name: 'mlock', address, length: d.length(1, address), onFault: flags && d.flags(2, 'flags', MLOCK) === MLOCK.MLOCK_ONFAULT }
}

const execve: Decode = () => ({ name: 'execve' })

/** strace prints the flags of clone behind the stack: `clone(child_stack=NULL, flags=CLONE_VM|SIGCHLD, …)`; raw arguments are in the order of the kernel. */
function cloneFlags(d: ArgumentDecoder): number {
  return namedFlags(d, d.text(Math.max(d.indexOf('flags'), 0), 'flags'))
}

/** `clone3({flags=CLONE_VM|…, child_tid=…} => {…}, 88)`. */
function clone3Flags(d: ArgumentDecoder): number {
  const text = d.text(0, 'flags')
  const [, flags] = /^\{flags=([^,}]*)/.exec(text) ?? []
  if (flags === undefined) throw d.fail('flags', '{flags=…}, which strace prints unless it is told to be raw', quote(text))
  return namedFlags(d, flags)
}

/** The signal that a child sends at its end is or-ed to the flags, by name. */
function namedFlags(d: ArgumentDecoder, text: string): number {
  const value = decodeNumber(text.replace(/\|?\bSIG[A-Z0-9]+/g, '') || '0', CLONE)
  if (!Number.isSafeInteger(value)) throw d.fail('flags', 'flags that are known', quote(text))
  return value
}

const DECODERS: Readonly<Record<string, Decode>> = {
  mmap(d) {
    const flags = d.flags(3, 'flags', MAP)
    const anonymous = (flags & MAP.MAP_ANONYMOUS) !== 0
    const result = d.resultAddress()
    return {
      name: 'mmap',
      length: d.length(1, result),
      prot: d.flags(2, 'prot', PROT),
      flags,
      file: anonymous ? undefined : d.file(4),
      offset: anonymous ? 0 : d.pageOffset(5),
      result,
    }
  },
  /** Ordinary private memory in a map; the processor alone writes it. */
  map_shadow_stack(d) {
    const result = d.resultAddress()
    const flags = MAP.MAP_PRIVATE | MAP.MAP_ANONYMOUS
    return { name: 'mmap', length: d.length(1, result), prot: PROT.PROT_READ | PROT.PROT_WRITE, flags, file: undefined, offset: 0, result }
  },
  mremap(d) {
    const address = d.pageAddress(0)
    const result = d.resultAddress()
    const oldLength = d.length(1, address)
    const newLength = d.length(2, result)
    return { name: 'mremap', address, oldLength, newLength, flags: d.flags(3, 'flags', MREMAP), result }
  },
  munmap(d) {
    const address = d.pageAddress(0)
    return { name: 'munmap', address, length: d.length(1, address) }
  },
  mprotect: protect,
  pkey_mprotect: protect,
  madvise(d) {
    const address = d.pageAddress(0)
    return { name: 'madvise', address, length: d.length(1, address), advice: d.flags(2, 'advice', MADV) }
  },
  brk: (d) => ({ name: 'brk', end: d.brkEnd(0), result: d.resultEnd() }),
  remap_file_pages(d) {
    const address = d.address(0)
    return { name: 'remap_file_pages', address, length: d.length(1, address), pgoff: d.size(3, 'offset') }
  },
  mlock: lock(false),
  mlock2: lock(true),
  mlockall: (d) => ({ name: 'mlockall', flags: d.flags(0, 'flags', MCL) }),
  munlockall: () => ({ name: 'munlockall' }),
  shmget: (d) => ({ name: 'shmget', key: d.text(0, 'key'), size: d.size(1, 'size'), result: d.result }),
  shmat: (d) => ({ name: 'shmat', id: d.size(0, 'id'), flags: d.flags(2, 'flags', SHM), result: d.resultAddress() }),
  shmdt: (d) => ({ name: 'shmdt', address: d.pageAddress(0) }),
  ftruncate: (d) => ({ name: 'ftruncate', file: d.file(0), length: d.fileSize(1, 'length') }),
  fallocate(d) {
    const offset = d.fileSize(2, 'offset')
    const length = Math.min(d.fileSize(3, 'length'), Number.MAX_SAFE_INTEGER - offset)
    return { name: 'fallocate', file: d.file(0), mode: d.flags(1, 'mode', FALLOC), offset, length }
  },
  io_setup: () => ({ name: 'io_setup' }),
  fork: clone(() => 0),
  vfork: clone(() => CLONE.CLONE_VM | CLONE.CLONE_VFORK),
  clone: clone(cloneFlags),
  clone3: clone(clone3Flags),
  execve,
  execveat: execve,
}

/**
 * Calls that meet a hole with ENOMEM after they changed the pages before it (mprotect), or all mapped parts (madvise); or with EACCES an area
 * that may never be written or executed, after they changed those before it.
 */
const PARTIAL: ReadonlyMap<string, readonly string[]> = new Map([
  ['mprotect', ['ENOMEM', 'EACCES']], ['pkey_mprotect', ['ENOMEM', 'EACCES']], ['madvise', ['ENOMEM']],
])

/** True for calls that {@link decodeCall} knows. */
export function isMemoryCall(name: string): boolean {
  return Object.hasOwn(DECODERS, name)
}

/**
 * The call as numbers, or undefined when it has no effect on address spaces: another call, one that failed, one without a result. Of the
 * failed ones only those that had an effect before their error are decoded, and only when their arguments are addresses at all.
 * @throws RecordingError naming the argument that cannot be
 */
export function decodeCall(name: string, args: readonly string[], result: CallResult, at: Location): MemoryCall | undefined {
  const decode = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined
  if (!decode || result.value === undefined) return undefined
  if (result.errno === undefined) return decode(new ArgumentDecoder(args, result, at))
  if (PARTIAL.get(name)?.includes(result.errno) !== true) return undefined
  try {
    return decode(new ArgumentDecoder(args, result, at))
  } catch {
    return undefined // nonsense that the kernel refused as well
  }
}
