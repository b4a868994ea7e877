import { describe, expect, test } from 'vitest'
import { parseLine, type CallResult, type StraceBody, type StraceLine } from '../src/index.ts'
import { body } from './helpers.ts'

const line = (text: string): StraceLine => parseLine(text, { file: 'f', line: 7 })
const ok = (value: number): CallResult => ({ value, errno: undefined })

describe('who and when', () => {
  const SECOND = 1795415328.344204e6
  const DAY = ((6 * 60 + 28) * 60 + 48) * 1e6
  test.each<[string, string, Partial<StraceLine>]>([
    ['no -f', 'brk(NULL) = 0', { task: undefined, time: undefined, clock: undefined }],
    ['-f -o', '26855 brk(NULL) = 0', { task: 26855, time: undefined }],
    ['a padded pid', '3791  brk(NULL) = 0', { task: 3791 }],
    ['-f on stderr', '[pid 26855] brk(NULL) = 0', { task: 26855 }],
    ['-f on stderr, a short pid', '[pid    55] brk(NULL) = 0', { task: 55 }],
    ['-Y', '26855<sh> brk(NULL) = 0', { task: 26855 }],
    ['-f -Y on stderr', '[pid 26855<my sh>] brk(NULL) = 0', { task: 26855 }],
    ['-ttt', '1795415328.344204 brk(NULL) = 0', { task: undefined, time: SECOND, clock: 'unix' }],
    ['-f -ttt', '26855 1795415328.344204 brk(NULL) = 0', { task: 26855, time: SECOND, clock: 'unix' }],
    ['whole seconds', '1795415328 brk(NULL) = 0', { task: undefined, time: 1795415328e6, clock: 'unix' }],
    ['-tt', '06:28:48.294527 brk(NULL) = 0', { time: DAY + 294527, clock: 'day' }],
    ['-t', '06:28:48 brk(NULL) = 0', { time: DAY, clock: 'day' }],
    ['[pid] -tt', '[pid 26855] 06:28:48.294527 brk(NULL) = 0', { task: 26855, time: DAY + 294527, clock: 'day' }],
    ['-r', '     0.000016 brk(NULL) = 0', { task: undefined, time: 16, clock: 'relative' }],
    ['-r in whole seconds', '     3 brk(NULL) = 0', { task: undefined, time: 3e6, clock: 'relative' }],
    ['-f -r in whole seconds', '26855      3 brk(NULL) = 0', { task: 26855, time: 3e6, clock: 'relative' }],
    ['-f -r', '26855      0.000016 brk(NULL) = 0', { task: 26855, time: 16, clock: 'relative' }],
    ['-r -ttt', '1795415328.344204 (+     0.000016) brk(NULL) = 0', { time: SECOND, clock: 'unix' }],
    ['-n', '26855 1795415328.344204 [  12] brk(NULL) = 0', { task: 26855, time: SECOND }],
    ['-n -i', '[  12] [00007f25a9624000] brk(NULL) = 0', { task: undefined, time: undefined }],
    ['-T', '26855 brk(NULL) = 0 <0.000016>', { task: 26855, time: undefined }],
  ])('%s', (_, text, expected) => {
    expect(line(text)).toMatchObject({ ...expected, body: { kind: 'call', name: 'brk', args: ['NULL'], result: ok(0) } })
  })
})

describe('what', () => {
  test.each<[string, StraceBody]>([
    ['exit_group(0)                     = ?', { kind: 'call', name: 'exit_group', args: ['0'], result: { value: undefined, errno: undefined } }],
    ['exit_group(0 <unfinished ...>) = ?', { kind: 'call', name: 'exit_group', args: ['0'], result: { value: undefined, errno: undefined } }],
    ['vfork( <unfinished ...>) = ?', { kind: 'call', name: 'vfork', args: [], result: { value: undefined, errno: undefined } }],
    ['clone(x) = ? ERESTARTNOINTR (To be restarted)', { kind: 'call', name: 'clone', args: ['x'], result: { value: undefined, errno: 'ERESTARTNOINTR' } }],
    ['munmap(0x1, 4096) = -1 EINVAL (Invalid argument)', { kind: 'call', name: 'munmap', args: ['0x1', '4096'], result: { value: -1, errno: 'EINVAL' } }],
    ['foo() = -1 (errno 999)', { kind: 'call', name: 'foo', args: [], result: { value: -1, errno: 'errno 999' } }],
    ['execve("x", [], 0) = 0 (DELAYED)', { kind: 'call', name: 'execve', args: ['"x"', '[]', '0'], result: ok(0) }],
    ['execve("x", [], 0) = -1 ENOENT (No such file or directory) (DELAYED) <0.1>', { kind: 'call', name: 'execve', args: ['"x"', '[]', '0'], result: { value: -1, errno: 'ENOENT' } }],
    ['open("a = b)", 0) = 3</a = b>', { kind: 'call', name: 'open', args: ['"a = b)"', '0'], result: ok(3) }],
    ['execve("x", [], 0x7 /* 2 vars */ <pid changed to 14 ...>', { kind: 'call', name: 'execve', args: ['"x"', '[]', '0x7 /* 2 vars */'], result: ok(0), leader: 14 }],
    ['munmap(0x7f, 65536 <unfinished ...>', { kind: 'unfinished', name: 'munmap', args: ['0x7f', '65536'] }],
    ['vfork( <unfinished ...>', { kind: 'unfinished', name: 'vfork', args: [] }],
    ['pause( <detached ...>', { kind: 'unfinished', name: 'pause', args: [] }],
    ['munmap(0x7f, 65536 <detached ...>', { kind: 'unfinished', name: 'munmap', args: ['0x7f', '65536'] }],
    ['<... munmap resumed>)             = 0', { kind: 'resumed', name: 'munmap', result: ok(0) }],
    ['<... clone resumed>, child_tidptr=0x7f) = 26857', { kind: 'resumed', name: 'clone', result: ok(26857) }],
    ['<... clone3 resumed> => {parent_tid=[12]}, 88) = 12', { kind: 'resumed', name: 'clone3', result: ok(12) }],
    ['<... mmap resumed> <unfinished ...>) = ?', { kind: 'resumed', name: 'mmap', result: { value: undefined, errno: undefined } }],
    ['<... execve resumed>) = 0 (DELAYED)', { kind: 'resumed', name: 'execve', result: ok(0) }],
    ['--- SIGSTOP {si_signo=SIGSTOP, si_pid=37} ---', { kind: 'signal', signal: 'SIGSTOP' }],
    ['--- stopped by SIGSTOP ---', { kind: 'stopped', signal: 'SIGSTOP' }],
    ['+++ exited with 3 +++', { kind: 'exited', status: 3 }],
    ['+++ killed by SIGSEGV (core dumped) +++', { kind: 'killed', signal: 'SIGSEGV' }],
    ['+++ superseded by execve in pid 45 +++', { kind: 'superseded', by: 45 }],
    [' > /usr/lib/libc.so.6(mmap+0x26) [0x112ad6]', { kind: 'note', text: ' > /usr/lib/libc.so.6(mmap+0x26) [0x112ad6]' }],
    ['strace: Process 26862 attached', { kind: 'note', text: 'strace: Process 26862 attached' }],
  ])('%s', (text, expected) => {
    expect(body(text)).toEqual(expected)
  })
})

describe('errors say where, which field, what was expected and what was found', () => {
  test.each([
    ['hello', 'f:7: line: expected a strace line, found "hello"'],
    ['int main(void) {', 'f:7: line: expected a strace line, found "int main(void) {"'],
    ['brk(NULL', 'f:7: arguments: expected a ")" that ends the arguments of brk, found "NULL"'],
    ['brk("NULL) = 0', 'f:7: arguments: expected a ")" that ends the arguments of brk, found "\\"NULL) = 0"'],
    ['brk(NULL)', 'f:7: result: expected "= RESULT" behind the arguments, found the end of the line'],
    ['brk(NULL) = ', 'f:7: result: expected a number or "?", found the end of the line'],
    ['brk(NULL) = 12x', 'f:7: result: expected a number or "?", found "12x"'],
    ['<... brk resumed', 'f:7: line: expected a strace line, found "<... brk resumed"'],
    ['[pid x] brk(NULL) = 0', 'f:7: task: expected a process id, found "x] brk(NULL) = 0"'],
    ['06:28 brk(NULL) = 0', 'f:7: time: expected a time as of -r, -t, -tt or -ttt, found "06:28 brk(NULL) = 0"'],
    ['--- SIGSTOP {si_signo=SIG', 'f:7: signal: expected "---" at the end, found "--- SIGSTOP {si_signo=SIG"'],
    ['+++ vanished +++', 'f:7: line: expected "exited with", "killed by" or "superseded by execve in pid", found "+++ vanished +++"'],
    ['\x00\x9f'.repeat(50), `f:7: line: expected a strace line, found "${'\\u0000\\u009f'.repeat(29)}\\u0000…"`],
  ])('%j', (text, message) => {
    expect(() => line(text)).toThrow(expect.objectContaining({ code: 'ERECORDING', message }))
  })
})
