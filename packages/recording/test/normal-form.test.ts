import { expect, test } from 'vitest'
import { compareNormalForms, formatRange, normalFormOfMaps, parseMapsLine, type NormalRange } from '../src/index.ts'

const normalForm = (...lines: readonly string[]): NormalRange[] =>
  normalFormOfMaps(lines.map((line, i) => parseMapsLine(line, { file: 'maps', line: i + 1 })), { named: true })

const FILE = '00010000-00012000 rw-p 00001000 fe:00 21 /f'
const DIFFERENT = [
  ['start', '00011000-00012000 rw-p 00001000 fe:00 21 /f', 0x10000],
  ['end', '00010000-00013000 rw-p 00001000 fe:00 21 /f', 0x12000],
  ['access', '00010000-00012000 rwxp 00001000 fe:00 21 /f', 0x10000],
  ['sharing', '00010000-00012000 rw-s 00001000 fe:00 21 /f', 0x10000],
  ['offset', '00010000-00012000 rw-p 00002000 fe:00 21 /f', 0x10000],
  ['path', '00010000-00012000 rw-p 00001000 fe:00 21 /g', 0x10000],
  ['backing', '00010000-00012000 rw-p 00000000 00:00 0', 0x10000],
] as const

test.each(DIFFERENT)('another %s is a difference, on either side', (_, line, address) => {
  expect(compareNormalForms(normalForm(FILE), normalForm(FILE))).toBeUndefined()
  expect(compareNormalForms(normalForm(FILE), normalForm(line))?.address).toBe(address)
  expect(compareNormalForms(normalForm(line), normalForm(FILE))?.address).toBe(address)
})

test('a range more, at the end or before', () => {
  const more = '00020000-00021000 rw-p 00000000 00:00 0'
  const difference = { address: 0x20000, kernel: undefined, model: '00020000-00021000 rw-p 00000000 anonymous' }
  expect(compareNormalForms(normalForm(FILE), normalForm(FILE, more))).toEqual(difference)
  expect(compareNormalForms(normalForm(more), normalForm(FILE, more))?.address).toBe(0x10000)
})

test.each([
  ['goes on', '00012000-00013000 rw-p 00003000 fe:00 21 /f', 1],
  ['does not go on', '00012000-00013000 rw-p 00004000 fe:00 21 /f', 2],
  ['is shared', '00012000-00013000 rw-s 00003000 fe:00 21 /f', 2],
  ['has other access', '00012000-00013000 r--p 00003000 fe:00 21 /f', 2],
  ['is of another file', '00012000-00013000 rw-p 00003000 fe:00 21 /g', 2],
  ['lies behind a hole', '00013000-00014000 rw-p 00004000 fe:00 21 /f', 2],
])('a neighbour that %s', (_, line, ranges) => {
  expect(normalForm(FILE, line)).toHaveLength(ranges)
})

test.each([
  ['rw-p 00000000 00:00 0 [heap]', 'rw-p 00000000 anonymous'],
  ['rw-p 00000000 00:00 0 [stack]', 'rw-p 00000000 anonymous'],
  ['rw-p 00000000 00:00 0 [anon:glibc: malloc]', 'rw-p 00000000 anonymous'],
  ['rw-p 00000000 00:0f 9 /anon_hugepage (deleted)', 'rw-p 00000000 anonymous'],
  ['rw-s 00000000 00:0f 9 /anon_hugepage (deleted)', 'rw-s 00000000 /dev/zero'],
  ['rw-s 00000000 00:01 9 [anon_shmem:name]', 'rw-s 00000000 /dev/zero'],
  ['rw-s 00000000 00:01 9 /dev/zero (deleted)', 'rw-s 00000000 /dev/zero'],
  ['rw-s 00001000 00:01 9 /SYSV00000007 (deleted)', 'rw-s 00001000 /SYSV'],
  ['rw-s 00001000 00:01 9 /memfd:v (deleted)', 'rw-s 00001000 /memfd:v'],
  ['r-xp 00000000 00:00 0 [vdso]', 'r-xp 00000000 [vdso]'],
])('%s', (line, expected) => {
  expect(normalForm(`00010000-00012000 ${line}`).map(formatRange)).toEqual([`00010000-00012000 ${expected}`])
})
