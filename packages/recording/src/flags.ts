import { isDigit, isWord, parseInteger } from './scan.ts'

/** Names of constants, as strace prints them, and their numbers on x86-64. */
export type FlagNames = Readonly<Record<string, number>>

export const PROT = {
  PROT_NONE: 0,
  PROT_READ: 1,
  PROT_WRITE: 2,
  PROT_EXEC: 4,
  PROT_SEM: 8,
  PROT_GROWSDOWN: 0x1000000,
  PROT_GROWSUP: 0x2000000,
} as const

export const MAP = {
  MAP_FILE: 0,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_SHARED_VALIDATE: 3,
  MAP_DROPPABLE: 8,
  MAP_FIXED: 0x10,
  MAP_ANONYMOUS: 0x20,
  MAP_32BIT: 0x40,
  MAP_ABOVE4G: 0x80,
  MAP_GROWSDOWN: 0x100,
  MAP_DENYWRITE: 0x800,
  MAP_EXECUTABLE: 0x1000,
  MAP_LOCKED: 0x2000,
  MAP_NORESERVE: 0x4000,
  MAP_POPULATE: 0x8000,
  MAP_NONBLOCK: 0x10000,
  MAP_STACK: 0x20000,
  MAP_HUGETLB: 0x40000,
  MAP_SYNC: 0x80000,
  MAP_FIXED_NOREPLACE: 0x100000,
  MAP_UNINITIALIZED: 0x4000000,
  MAP_HUGE_SHIFT: 26,
} as const

export const MREMAP = { MREMAP_MAYMOVE: 1, MREMAP_FIXED: 2, MREMAP_DONTUNMAP: 4 } as const

export const MADV = {
  MADV_NORMAL: 0,
  MADV_RANDOM: 1,
  MADV_SEQUENTIAL: 2,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  MADV_FREE: 8,
  MADV_REMOVE: 9,
  MADV_DONTFORK: 10,
  MADV_DOFORK: 11,
  MADV_MERGEABLE: 12,
  MADV_UNMERGEABLE: 13,
  MADV_HUGEPAGE: 14,
  MADV_NOHUGEPAGE: 15,
  MADV_DONTDUMP: 16,
  MADV_DODUMP: 17,
  MADV_WIPEONFORK: 18,
  MADV_KEEPONFORK: 19,
  MADV_COLD: 20,
  MADV_PAGEOUT: 21,
  MADV_POPULATE_READ: 22,
  MADV_POPULATE_WRITE: 23,
  MADV_DONTNEED_LOCKED: 24,
  MADV_COLLAPSE: 25,
  MADV_HWPOISON: 100,
  MADV_SOFT_OFFLINE: 101,
  MADV_GUARD_INSTALL: 102,
  MADV_GUARD_REMOVE: 103,
} as const

export const CLONE = {
  CLONE_NEWTIME: 0x80,
  CLONE_VM: 0x100,
  CLONE_FS: 0x200,
  CLONE_FILES: 0x400,
  CLONE_SIGHAND: 0x800,
  CLONE_PIDFD: 0x1000,
  CLONE_PTRACE: 0x2000,
  CLONE_VFORK: 0x4000,
  CLONE_PARENT: 0x8000,
  CLONE_THREAD: 0x10000,
  CLONE_NEWNS: 0x20000,
  CLONE_SYSVSEM: 0x40000,
  CLONE_SETTLS: 0x80000,
  CLONE_PARENT_SETTID: 0x100000,
  CLONE_CHILD_CLEARTID: 0x200000,
  CLONE_DETACHED: 0x400000,
  CLONE_UNTRACED: 0x800000,
  CLONE_CHILD_SETTID: 0x1000000,
  CLONE_NEWCGROUP: 0x2000000,
  CLONE_NEWUTS: 0x4000000,
  CLONE_NEWIPC: 0x8000000,
  CLONE_NEWUSER: 0x10000000,
  CLONE_NEWPID: 0x20000000,
  CLONE_NEWNET: 0x40000000,
  CLONE_IO: 0x80000000,
  CLONE_CLEAR_SIGHAND: 0x100000000,
  CLONE_INTO_CGROUP: 0x200000000,
} as const

export const SHM = { SHM_RDONLY: 0o10000, SHM_RND: 0o20000, SHM_REMAP: 0o40000, SHM_EXEC: 0o100000 } as const

export const FALLOC = {
  FALLOC_FL_KEEP_SIZE: 1,
  FALLOC_FL_PUNCH_HOLE: 2,
  FALLOC_FL_NO_HIDE_STALE: 4,
  FALLOC_FL_COLLAPSE_RANGE: 8,
  FALLOC_FL_ZERO_RANGE: 0x10,
  FALLOC_FL_INSERT_RANGE: 0x20,
  FALLOC_FL_UNSHARE_RANGE: 0x40,
} as const

export const MLOCK = { MLOCK_ONFAULT: 1 } as const

export const MCL = { MCL_CURRENT: 1, MCL_FUTURE: 2, MCL_ONFAULT: 4 } as const

const INNER_COMMENT = /\/\*(?:[^*/]|\/(?!\*))*\*\//g

const NO_NAMES: FlagNames = { NULL: 0 }

/**
 * The number that an argument stands for: a number, `NULL`, names or-ed together, the number and comment of the verbose style, products
 * (`4096*1024`), shifts (`21<<MAP_HUGE_SHIFT`); NaN for anything else, an unknown name included. Sets have up to 53 bits.
 */
export function decodeNumber(text: string, names: FlagNames = NO_NAMES): number {
  const plain = text.includes('/*') ? withoutComments(text) : text
  if (isDigit(plain.charCodeAt(0)) && !/[|*<]/.test(plain)) return parseInteger(plain, 0, plain.length)
  let value = 0
  for (const term of plain.split('|')) value = union(value, decodeTerm(term.trim(), names))
  return value
}

/** Innermost first. */
function withoutComments(text: string): string {
  const less = text.replace(INNER_COMMENT, '')
  return less === text ? text.trim() : withoutComments(less)
}

function decodeTerm(term: string, names: FlagNames): number {
  const shift = term.indexOf('<<')
  if (shift > 0) return decodeFactor(term.slice(0, shift), names) * 2 ** decodeFactor(term.slice(shift + 2), names)
  let value = 1
  for (const factor of term.split('*')) value *= decodeFactor(factor, names)
  return value
}

function decodeFactor(factor: string, names: FlagNames): number {
  if (!isWord(factor.charCodeAt(0)) || isDigit(factor.charCodeAt(0))) return parseInteger(factor, 0, factor.length)
  return factor === 'NULL' ? 0 : Object.hasOwn(names, factor) ? (names[factor] ?? NaN) : NaN
}

/** `a | b` beyond 32 bits; NaN when either is. */
function union(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return NaN
  return (Math.floor(a / 2 ** 32) | Math.floor(b / 2 ** 32)) * 2 ** 32 + ((a | b) >>> 0)
}
