import { describe, expect, test } from 'vitest'
import { decodeCall, type MemoryCall } from '../src/index.ts'
import { decodeNumber, CLONE, MAP, PROT } from '../src/flags.ts'
import { body } from './helpers.ts'

/** Decodes a whole line. */
function decode(line: string): MemoryCall | undefined {
  const call = body(line)
  if (call.kind !== 'call') throw new Error(`${line} is no call`)
  return decodeCall(call.name, call.args, call.result, { file: 'f', line: 7 })
}

describe('numbers', () => {
  test.each<[string, Readonly<Record<string, number>>, number]>([
    ['NULL', {}, 0],
    ['0x7ffd071579d8', {}, 0x7ffd071579d8],
    ['4096*1024', {}, 4194304],
    ['0600', {}, 0o600],
    ['PROT_READ|PROT_WRITE', PROT, 3],
    ['PROT_READ|0x80', PROT, 0x81],
    ['0x3', PROT, 3],
    ['0x3 /* PROT_READ|PROT_WRITE */', PROT, 3],
    ['0x28 /* 0x8 /* MAP_??? */|MAP_ANONYMOUS */', MAP, 0x28],
    ['0x8 /* MAP_??? */|MAP_ANONYMOUS', MAP, 0x28],
    ['0x3 /* no end', PROT, NaN],
    ['0x1200000 /* CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID */|17', CLONE, 0x1200011],
    ['CLONE_CLEAR_SIGHAND|CLONE_IO|CLONE_VM', CLONE, 0x180000100],
    ['MAP_PRIVATE|MAP_HUGETLB|21<<MAP_HUGE_SHIFT', MAP, 2 + 0x40000 + 21 * 2 ** 26],
    ['PROT_READ|PROT_READ', PROT, 1],
    ['PROT_FOO', PROT, NaN],
    ['PROT_READ|PROT_FOO', PROT, NaN],
    ['toString', PROT, NaN],
    ['-1', {}, -1],
    ['', {}, NaN],
    ['"x"', {}, NaN],
  ])('%s', (text, names, value) => {
    expect(decodeNumber(text, names)).toBe(value)
  })
})

const A = 0x7f885fbcf000
const ANON = { name: 'mmap', length: 8192, prot: 3, flags: 0x22, file: undefined, offset: 0, result: A }
const library = (path: string | undefined): object => ({ ...ANON, prot: 5, flags: 0x812, file: { path }, offset: 0x26000 })
const CLONED = { name: 'clone', result: 12 }

describe('calls', () => {
  test.each<[string, object | undefined]>([
    ['mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f885fbcf000', ANON],
    ['mmap(NULL, 8192, 0x3, 0x22, -1, 0) = 0x7f885fbcf000', ANON],
    ['mmap(NULL, 8192, 0x3 /* PROT_READ|PROT_WRITE */, 0x22 /* MAP_PRIVATE|MAP_ANONYMOUS */, -1, 0) = 0x7f885fbcf000', ANON],
    ['mmap(0x123, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f885fbcf000', ANON],
    ['map_shadow_stack(NULL, 8192, SHADOW_STACK_SET_TOKEN) = 0x7f885fbcf000', ANON],
    ['map_shadow_stack(NULL, 8192, SHADOW_STACK_SET_TOKEN) = -1 EOPNOTSUPP (Operation not supported)', undefined],
    ['mmap(0x7f885fbcf000, 8192, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3, 0x26000) = 0x7f885fbcf000', library(undefined)],
    ['mmap(0x7f885fbcf000, 8192, 0x5, 0x812, 3</usr/lib/x.so>, 0x26000) = 0x7f885fbcf000', library('/usr/lib/x.so')],
    ['mmap(0x7f885fbcf000, 8192, 0x5, 0x812, 3</srv/x>(deleted), 0x26000) = 0x7f885fbcf000', library('/srv/x')],
    ['mmap(0x7f885fbcf000, 8192, 0x5, 0x812, 3</srv/x (deleted)>, 0x26000) = 0x7f885fbcf000', library('/srv/x')],
    [String.raw`mmap(0x7f885fbcf000, 8192, 0x5, 0x812, 3</srv/\303\251\74>, 0x26000) = 0x7f885fbcf000`, library('/srv/\xc3\xa9<')],
    ['mmap(0x7f885fbcf000, 8192, 0x5, 0x812, 3</dev/zero<char 1:5>>, 0x26000) = 0x7f885fbcf000', library('/dev/zero')],
    ['mmap(addr=NULL, length=8192, prot=PROT_READ|PROT_WRITE, flags=MAP_PRIVATE|MAP_ANONYMOUS, fd=-1, offset=0) = 0x7f885fbcf000', ANON],
    ['mmap(addr=NULL, length=8192, prot=0x5, flags=0x812, fd=3</srv/a=b>, offset=0x26000) = 0x7f885fbcf000', library('/srv/a=b')],
    ['munmap(0x7f885fbcf000, 39247) = 0', { name: 'munmap', address: A, length: 39247 }],
    ['mprotect(0x7f885fbcf000, 16384, PROT_READ) = 0', { name: 'mprotect', address: A, length: 16384, prot: 1 }],
    ['pkey_mprotect(0x7f885fbcf000, 16384, PROT_READ, 1) = 0', { name: 'mprotect', address: A, length: 16384, prot: 1 }],
    ['mprotect(0x7f885fbcf000, 16384, PROT_READ) = -1 ENOMEM (Cannot allocate memory)', { name: 'mprotect', address: A, length: 16384, prot: 1 }],
    ['mprotect(0x7f885fbcf001, 16384, PROT_READ) = -1 EINVAL (Invalid argument)', undefined],
    ['mprotect(0x7f885fbcf000, 16384, PROT_WRITE) = -1 EACCES (Permission denied)', { name: 'mprotect', address: A, length: 16384, prot: 2 }],
    ['madvise(0x7f885fbcf000, 16384, MADV_DONTNEED) = -1 EACCES (Permission denied)', undefined],
    ['madvise(0x7f885fbcf000, 4096, MADV_DONTNEED) = -1 ENOMEM (Cannot allocate memory)', { name: 'madvise', address: A, length: 4096, advice: 4 }],
    ['madvise(0xffffffffffffffff, 4096, MADV_DONTNEED) = -1 ENOMEM (Cannot allocate memory)', undefined],
    ['munmap(0xffffffffffffffff, 4096) = -1 EINVAL (Invalid argument)', undefined],
    ['mmap(NULL, 18446744073709551615, PROT_NONE, MAP_WHAT, -1, 0) = -1 ENOMEM (Cannot allocate memory)', undefined],
    [
      'mremap(0x7f885fbcf000, 0, 32768, MREMAP_MAYMOVE) = 0x7f885fb00000',
      { name: 'mremap', address: A, oldLength: 0, newLength: 32768, flags: 1, result: 0x7f885fb00000 },
    ],
    ['brk(NULL) = 0x559b375c7000', { name: 'brk', end: 0, result: 0x559b375c7000 }],
    ['brk(0x559b375c7123) = 0x559b375c7123', { name: 'brk', end: 0x559b375c7123, result: 0x559b375c7123 }],
    ['brk(0xffffffffffffffff) = 0x559b375c7000', { name: 'brk', end: 0, result: 0x559b375c7000 }],
    ['remap_file_pages(0x7f885fbcf000, 4096, 0, 5, 0) = 0', { name: 'remap_file_pages', address: A, length: 4096, pgoff: 5 }],
    ['mlock2(0x7f885fbcf123, 10, MLOCK_ONFAULT) = 0', { name: 'mlock', address: A + 0x123, length: 10, onFault: true }],
    ['mlock(0x7f885fbcf123, 10) = 0', { name: 'mlock', address: A + 0x123, length: 10, onFault: false }],
    ['mlockall(MCL_CURRENT|MCL_FUTURE) = 0', { name: 'mlockall', flags: 3 }],
    ['shmget(IPC_PRIVATE, 32768, IPC_CREAT|0600) = 60', { name: 'shmget', key: 'IPC_PRIVATE', size: 32768, result: 60 }],
    ['shmat(60, NULL, SHM_RDONLY) = 0x7f885fbcf000', { name: 'shmat', id: 60, flags: 0o10000, result: A }],
    ['ftruncate(5</memfd:v>(deleted), 65536) = 0', { name: 'ftruncate', file: { path: '/memfd:v' }, length: 65536 }],
    [
      'fallocate(3</srv/v>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 8192) = 0',
      { name: 'fallocate', file: { path: '/srv/v' }, mode: 3, offset: 0, length: 8192 },
    ],
    ['clone(child_stack=NULL, flags=CLONE_VM|CLONE_THREAD|SIGCHLD, child_tidptr=0x7f) = 12', { ...CLONED, flags: 0x10100 }],
    ['clone(child_stack=NULL, flags=SIGCHLD) = 12', { ...CLONED, flags: 0 }],
    ['clone(child_stack=NULL, flags=0x10100|17, child_tidptr=0x7f) = 12', { ...CLONED, flags: 0x10111 }],
    ['clone(child_stack=NULL, flags=0x10100 /* CLONE_VM|CLONE_THREAD */|17 /* SIGCHLD */) = 12', { ...CLONED, flags: 0x10111 }],
    ['clone3({flags=CLONE_VM|CLONE_THREAD, child_tid=0x7f, exit_signal=0} => {parent_tid=[12]}, 88) = 12', { ...CLONED, flags: 0x10100 }],
    ['clone(0x10111, 0x7f0000000100, 0x7f, 0x7f, 0) = 12', { ...CLONED, flags: 0x10111 }],
    ['clone3(uargs={flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[12]}, size=88) = 12', { ...CLONED, flags: 0x10100 }],
    ['clone3({flags=0, exit_signal=SIGCHLD}, 88) = 12', { ...CLONED, flags: 0 }],
    ['clone3({flags=0x10100 /* CLONE_VM|CLONE_THREAD */, exit_signal=0}, 88) = 12', { ...CLONED, flags: 0x10100 }],
    ['clone3({flags=CLONE_VM}, 88) = 12', { ...CLONED, flags: 0x100 }],
    ['vfork() = 12', { ...CLONED, flags: 0x4100 }],
    ['fork() = 12', { ...CLONED, flags: 0 }],
    ['clone(child_stack=NULL, flags=SIGCHLD) = ? ERESTARTNOINTR (To be restarted)', undefined],
    ['execve("/bin/x", ["x"], 0x7ff /* 38 vars */) = 0', { name: 'execve' }],
    ['execve("/bin/x", ["x"], 0x7ff /* 38 vars */) = -1 ENOENT (No such file or directory)', undefined],
    ['getpid() = 12', undefined],
    ['hasOwnProperty() = 12', undefined],
  ])('%s', (line, expected) => {
    expect(decode(line)).toEqual(expected)
  })
})

describe('an argument that cannot be, in a call that succeeded', () => {
  test.each([
    ['munmap(0x7f885fbcf001, 4096) = 0', 'address: expected a page-aligned address, found "0x7f885fbcf001"'],
    ['munmap(0xffff888000000000, 4096) = 0', 'address: expected a user address (below 2^53), found "0xffff888000000000"'],
    ['munmap(0x1ffffffffff000, 8192) = 0', 'length: expected a range that ends below 2^53, found "8192"'],
    ['mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f885fbcf123', 'result: expected a page-aligned address, found "0x7f885fbcf123"'],
    ['mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0xffff888000000000', 'result: expected a user address (below 2^53), found "0xffff888000000000"'],
    ['mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x20000000000000', 'result: expected a user address (below 2^53), found "0x20000000000000"'],
    ['mmap(NULL, x, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f885fbcf000', 'length: expected a number in 0 .. 2^53 - 1, found "x"'],
    ['mmap(NULL, 8192, PROT_FOO, MAP_PRIVATE, 3, 0) = 0x7f885fbcf000', 'prot: expected flags that are known, found "PROT_FOO"'],
    ['mmap(NULL, 8192, PROT_READ, MAP_FOO, 3, 0) = 0x7f885fbcf000', 'flags: expected flags that are known, found "MAP_FOO"'],
    ['mmap(NULL, 8192, PROT_READ, MAP_PRIVATE) = 0x7f885fbcf000', 'descriptor: expected 5 arguments, found 4'],
    ['mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0x10) = 0x7f885fbcf000', 'offset: expected a page-aligned offset, found "0x10"'],
    ['ftruncate(3, -5) = 0', 'length: expected a number in 0 .. 2^64 - 1, found "-5"'],
    ['brk(0x1000) = 0xffff888000000000', 'result: expected a user address (below 2^53), found "0xffff888000000000"'],
    ['brk(x) = 0x1000', 'address: expected an address, found "x"'],
    ['madvise(0x7f885fbcf000, 4096, MADV_FOO) = 0', 'advice: expected flags that are known, found "MADV_FOO"'],
    ['clone3(0x7ff12345, 88) = 12', 'flags: expected {flags=…}, which strace prints unless it is told to be raw, found "0x7ff12345"'],
    ['clone(child_stack=NULL, flags=CLONE_FOO) = 12', 'flags: expected flags that are known, found "CLONE_FOO"'],
  ])('%s', (line, message) => {
    expect(() => decode(line)).toThrow(expect.objectContaining({ code: 'ERECORDING', message: `f:7: ${message}` }))
  })
})
