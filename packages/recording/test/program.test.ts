import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { readProgram, runProgram, type CreateDevice, type ProgramLine, type Results } from '../src/index.ts'

const BASIC = resolve(import.meta.dirname, '../../../fixtures/kernel-reference/basic')
const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-program-'))

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
