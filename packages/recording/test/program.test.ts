import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readProgram, runProgram, type CreateDevice, type ProgramLine, type Results } from '../src/index.ts'

const BASIC = resolve(import.meta.dirname, '../../../fixtures/kernel-reference/basic')
const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-program-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

/** A device that does nothing: the programs here leave it alone. */
const idle: CreateDevice = () => ({
  async open() {
    const none = (_: number, pages: number): Promise<Uint8Array> => Promise.resolve(new Uint8Array(pages))
    return {
      read: (_, pages) => Promise.resolve({ bytes: new Uint8Array(4096 * pages), faults: 0 }),
      write: () => Promise.resolve(0),
      migrateToDevice: none,
      migrateToSystem: () => Promise.resolve(0),
      snapshot: none,
      exclusive: none,
      checkExclusive: () => Promise.resolve(),
      look: () => '.',
      close: () => Promise.resolve(),
    }
  },
})

async function runScript(text: string): Promise<Results[]> {
  const path = join(folder, 'script.txt')
  writeFileSync(path, text)
  const results: Results[] = []
  const { mismatches } = await runProgram(await readProgram(path), idle, (_, actual) => results.push(actual))
  expect(mismatches).toEqual([])
  return results
}

const operations = (lines: readonly ProgramLine[]): unknown[] => lines.flatMap((line) => (line.kind === 'operation' ? [line.operation] : []))

test.each(readdirSync(BASIC).filter((name) => name.endsWith('.txt') && !name.startsWith('53-')))('%s: the script says what was recorded', async (name) => {
  const script = await readProgram(join(BASIC, name))
  const recording = await readProgram(join(BASIC, name.replace('.txt', '.jsonl.gz')))
  expect(operations(recording.lines)).toMatchObject(operations(script.lines))
  expect(recording.header).toMatchObject({ base: script.header.base, pages: script.header.pages, thp: 'never' })
})

test('what the CPU does, and what comes of it', async () => {
  const [mapped, written, forked, copied, beyond, gone] = await runScript(
    ['mmap page=0 n=2 prot=rw', 'cpuw page=1 n=1 off=4 val=9', 'fork', 'cpuw page=1 n=1 val=8', 'cpur page=1 n=3', 'child_r page=1 n=1'].join('\n'),
  )
  expect(mapped).toMatchObject({ ret: 0, ev: [] })
  expect(written).toMatchObject({ done: 1, ev: [['F', 1, 597]], pm: [[1, 2, 'X']] })
  expect(forked).toMatchObject({ ret: 0, ev: [['S', 'PROTECTION_PAGE', 0, 2, null, 3], ['E', 'PROTECTION_PAGE', 0, 2]], pm: [[1, 2, 'p']] })
  expect(copied).toMatchObject({ ev: [['F', 1, 597], ['S', 'CLEAR', 1, 2, null, 5], ['E', 'CLEAR', 1, 2]], pm: [[1, 2, 'X']] })
  expect(beyond).toMatchObject({ done: 1, sig: 'SEGV', code: 1, data: [[8, 9, 0, 0]] })
  expect(gone).toMatchObject({ done: 1, data: [[0, 9, 0, 0]] })
})

test('a script may ask for transparent huge pages', async () => {
  const [, written] = await runScript('thp always\nmmap page=0 n=512\ncpuw page=3 n=1 val=5')
  expect(written).toMatchObject({ ev: [['F', 3, 597]], pm: [[0, 512, 'X']] })
  const [, small] = await runScript('mmap page=0 n=512\ncpuw page=3 n=1 val=5')
  expect(small).toMatchObject({ pm: [[3, 4, 'X']] })
  await expect(runScript('thp often')).rejects.toThrow('thp: expected always or never, found "often"')
})

test('the window is as large as a script needs', async () => {
  const [, state] = await runScript('mmap page=1000 n=100\nstate')
  expect(state?.['maps']).toEqual([[1000, 1100, 'rw-p', 0, 'anon']])
  expect(state?.['pm']).toHaveLength(2048)
})

test('the files of a program', async () => {
  const results = await runScript('fread file=0 page=31 n=2\nftrunc file=0 n=31\nfread file=0 page=31 n=1\nfwrite file=1 page=50 off=4092 val=3\nfread file=1 page=50 n=1')
  expect(results.map(({ ret, data }) => [ret, data])).toEqual([
    [8192, [[0xf000001f, 0, 0, 0], 0]], [0, undefined], [0, undefined], [4, undefined], [4096, [[0, 0, 0, 3]]],
  ])
})

const HEADER = { header: 1, name: 'p', base: '0x200000000', pages: 8, thp: 'never', files: [{ n: 4, filled: 2 }, { n: 4, filled: 0 }] }
const read = (operation: object): Promise<unknown> => {
  const path = join(folder, 'fields.jsonl')
  writeFileSync(path, jsonLines(HEADER, { i: 0, ev: [], ...operation }, FINAL))
  return readProgram(path)
}
const FINAL = { final: [0, 0, 0, 0, 0, 0, 0, 0] }
const jsonLines = (...lines: readonly object[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('')
const MMAP = { op: 'mmap', page: 0, n: 1, prot: 'rw', kind: 'file_shared', file: 1, pgoff: 2 }
const MREMAP = { op: 'mremap', page: 0, oldn: 1, newn: 2, flags: 'MF', dst: 4 }

test.each<[operation: object, message: string]>([
  [{ op: 'cpur', page: 0, n: 65537 }, 'n: expected a number up to 65536, found "65537"'],
  [{ op: 'cpur', page: -1, n: 1 }, 'page: expected a whole number, found "-1"'],
  [{ op: 'cpur', page: 0.5, n: 1 }, 'page: expected a whole number, found "0.5"'],
  [{ op: 'cpur', page: 0 }, 'n: expected a whole number, found none'],
  [{ op: 'cpur', page: 0, n: 1, state: 1 }, 'state: expected no such field of cpur, found "1"'],
  [{ op: 'cpur', page: 0, n: 1, ev: 0 }, 'ev: expected an array of events, found "0"'],
  [{ op: 'cpuw', page: 0, n: 1, off: 6, val: 1 }, 'off: expected the place of a word in a page, found "6"'],
  [{ op: 'cpuw', page: 0, n: 1, off: 4096, val: 1 }, 'off: expected the place of a word in a page, found "4096"'],
  [{ op: 'cpuw', page: 0, n: 1, off: 0, val: null }, 'val: expected a whole number, found "null"'],
  [{ op: 'snap', d: 2, page: 0, n: 1 }, 'd: expected device 0 or 1, found "2"'],
  [{ op: 'ftrunc', file: 2, n: 1 }, 'file: expected file 0 or 1, found "2"'],
  [{ ...MMAP, prot: 'x' }, 'prot: expected one of none, r, rw, w, rx, found "\\"x\\""'],
  [{ ...MMAP, kind: 3 }, 'kind: expected one of anon_private, anon_shared, file_private, file_shared, found "3"'],
  [{ ...MMAP, file: undefined }, 'file: expected a whole number, found none'],
  [{ ...MMAP, pgoff: undefined }, 'pgoff: expected a whole number, found none'],
  [{ ...MREMAP, flags: 'FM' }, 'flags: expected letters of MFD, found "\\"FM\\""'],
  [{ ...MREMAP, flags: 1 }, 'flags: expected letters of MFD, found "1"'],
  [{ ...MREMAP, dst: undefined }, 'dst: expected a whole number, found none'],
])('%j is an error', async (operation, message) => {
  await expect(read(operation)).rejects.toThrow(`fields.jsonl:2: ${message}`)
})

test.each<[operation: object]>([
  [MMAP], [{ ...MMAP, kind: 'anon_private', file: undefined, pgoff: undefined }], [{ ...MMAP, populate: 1 }], [MREMAP], [{ ...MREMAP, flags: '', dst: undefined }],
  [{ op: 'cpuw', page: 0, n: 65536, off: 4092, val: 2 ** 40 }], [{ op: 'fork', ret: 0 }],
])('%j is none', async (operation) => {
  await expect(read(operation)).resolves.toMatchObject({ lines: [{ kind: 'operation' }, { kind: 'final' }] })
})

const FORK = { op: 'fork', ev: [] }
test.each<[what: string, lines: readonly object[], message: string]>([
  ['the end is missing', [HEADER, { i: 0, ...FORK }], '2: final: expected the final values in the last line, and only there, found another line'],
  ['all but the header is', [HEADER], '1: final: expected the final values in the last line, and only there, found another line'],
  ['something follows', [HEADER, FINAL, { i: 0, ...FORK }], '3: final: expected the final values in the last line, and only there, found another line'],
  ['an operation is missing', [HEADER, { i: 1, ...FORK }, FINAL], '2: i: expected operation 0, found "1"'],
  ['an operation is there twice', [HEADER, { i: 0, ...FORK }, { i: 0, ...FORK }, FINAL], '3: i: expected operation 1, found "0"'],
  ['an operation without number', [HEADER, FORK, FINAL], '2: i: expected operation 0, found none'],
  ['a file that no memory holds', [{ ...HEADER, files: [{ n: 1e12, filled: 1e12 }, { n: 4, filled: 0 }] }, FINAL], '1: files: expected two files with n and filled, of at most 65536 pages, found'],
  ['more filled than there is', [{ ...HEADER, files: [{ n: 4, filled: 5 }, { n: 4, filled: 0 }] }, FINAL], '1: files: expected two files with n and filled, of at most 65536 pages, found'],
  ['no file', [{ ...HEADER, files: [null, { n: 4, filled: 0 }] }, FINAL], '1: files: expected two files with n and filled, of at most 65536 pages, found'],
])('%s', async (_, lines, message) => {
  const path = join(folder, 'whole.jsonl')
  writeFileSync(path, jsonLines(...lines))
  await expect(readProgram(path)).rejects.toThrow(`whole.jsonl:${message}`)
})
