import { describe, expect, test } from 'vitest'
import { parseInteger, splitArguments, unescape } from '../src/scan.ts'

const split = (text: string): string[] => {
  const { args, end, closed } = splitArguments(text, 0)
  expect({ closed, end: text[end] }).toEqual({ closed: true, end: ')' })
  return args
}

describe('arguments are split at commas that mean something', () => {
  test.each<[string, string[]]>([
    [')', []],
    ['0)', ['0']],
    ['0x7f, 8192, PROT_READ)', ['0x7f', '8192', 'PROT_READ']],
    ['1, , 2)', ['1', '', '2']],
    [String.raw`"a,b)c", "d\",e", "f\\", g)`, [String.raw`"a,b)c"`, String.raw`"d\",e"`, String.raw`"f\\"`, 'g']],
    ['"cut"..., 3)', ['"cut"...', '3']],
    ['["sh", "-c", "a | b, (c)"], 0x7 /* 38 vars */)', ['["sh", "-c", "a | b, (c)"]', '0x7 /* 38 vars */']],
    ['0x3 /* A|B, (C) */, 4)', ['0x3 /* A|B, (C) */', '4']],
    ['0x28 /* 0x8 /* A, ??? */|B, ) */, 4)', ['0x28 /* 0x8 /* A, ??? */|B, ) */', '4']],
    ['{a={b=1, c=[2, 3]}, d=(4, 5)}, 6)', ['{a={b=1, c=[2, 3]}, d=(4, 5)}', '6']],
    ['{flags=CLONE_VM} => {parent_tid=[123]}, 88)', ['{flags=CLONE_VM} => {parent_tid=[123]}', '88']],
    ['3</a,b)c"d\'[e{f>, 0)', ['3</a,b)c"d\'[e{f>', '0']],
    [String.raw`3</a\74b\76>(deleted), 0)`, [String.raw`3</a\74b\76>(deleted)`, '0']],
    ['3</dev/zero<char 1:5>>, 0)', ['3</dev/zero<char 1:5>>', '0']],
    ['3<TCP:[1.2.3.4:80->5.6.7.8:90]>, 4<TCPv6:[[::1]:80->[::1]:90]>, 0)', ['3<TCP:[1.2.3.4:80->5.6.7.8:90]>', '4<TCPv6:[[::1]:80->[::1]:90]>', '0']],
    ['3</srv/a->, 0)', ['3</srv/a->', '0']],
    ['21<<MAP_HUGE_SHIFT|MAP_PRIVATE, 0)', ['21<<MAP_HUGE_SHIFT|MAP_PRIVATE', '0']],
    ['AT_FDCWD</root>, "x")', ['AT_FDCWD</root>', '"x"']],
    ['~[RTMIN RT_1], NULL)', ['~[RTMIN RT_1]', 'NULL']],
  ])('%s', (text, args) => {
    expect(split(text)).toEqual(args)
  })

  test.each(['0x7f, 81', '"no end)', '3</no/end)', '/* no end)', '/* /* no end */)', '(1, 2', '{1, 2'])('%s is not closed', (text) => {
    expect(splitArguments(text, 0)).toMatchObject({ closed: false, end: text.length })
  })
})

test.each<[string, number]>([
  ['0', 0],
  ['8192', 8192],
  ['-1', -1],
  ['0x7ffd071579d8', 0x7ffd071579d8],
  ['0xFFffFF', 0xffffff],
  ['0600', 0o600],
  ['18446744073709551615', 2 ** 64],
  ['', NaN],
  ['-', NaN],
  ['0x', NaN],
  ['08', NaN],
  ['12a', NaN],
  ['PROT_READ', NaN],
])('parseInteger %j is %d', (text, value) => {
  expect(parseInteger(text, 0, text.length)).toBe(value)
})

test('parseInteger reads a part of a text', () => {
  expect(parseInteger('= 0x10)', 2, 6)).toBe(16)
})

test.each([
  ['/plain', '/plain'],
  [String.raw`/a\"b\\c`, '/a"b\\c'],
  [String.raw`/a\303\251`, '/a\xc3\xa9'],
  [String.raw`/a\1b\0012`, '/a\x01b\x012'],
  [String.raw`/\x41\n\t`, '/A\n\t'],
])('unescape %s', (text, path) => {
  expect(unescape(text)).toBe(path)
})
