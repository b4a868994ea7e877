import { DmirrorDevice } from '@mmu-notifier/driver-selftest'
import { readProgram, runProgram, type CreateDevice, type Mirror } from '@mmu-notifier/recording'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diff, type DiffReport } from '../src/index.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const BIN = join(ROOT, 'apps/demo/bin/mmu-notifier.js')
const FIXTURES = join(ROOT, 'fixtures/kernel-reference')
/** All recordings, for who has them: a folder. */
const REFERENCE = process.env['MMU_NOTIFIER_REFERENCE'] ?? FIXTURES
const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-diff-'))
const emptyFolder = join(folder, 'empty')
mkdirSync(emptyFolder)
afterAll(() => { rmSync(folder, { recursive: true }) })

function programs(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.jsonl.gz')).map((name) => join(path, name))
}

/** In a process of its own, from what was built: the command compares in a thread, which compiles what it imports. */
function cli(...args: string[]): { status: number | null; out: string; err: string } {
  return spawned([BIN, ...args])
}

function spawned(args: readonly string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } })
  return { status, out: stdout, err: stderr }
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const example = gunzipSync(readFileSync(join(FIXTURES, 'basic/34-migrate-munmap-mremap.jsonl.gz'))).toString('latin1')

beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/turbo/bin/turbo'), 'run', 'build', '--output-logs=errors-only'], { cwd: ROOT, stdio: 'pipe' })
})

test('the model does what the kernel did, in every field of every operation', { timeout: 600_000 }, async () => {
  const report = await diff(programs(REFERENCE))
  expect(report.mismatches.slice(0, 3)).toEqual([])
  expect(report.programs).toBeGreaterThanOrEqual(185)
  expect(report.equal).toBe(report.operations)
})

describe('a wrong model is found', () => {
  const wrong = (change: (mirror: Mirror) => Partial<Mirror>): CreateDevice => (memory) => {
    const device = new DmirrorDevice(memory, { pages: 512 })
    return {
      async open(mm) {
        const mirror: Mirror = await device.open(mm)
        const methods = ['read', 'write', 'migrateToDevice', 'migrateToSystem', 'snapshot', 'exclusive', 'checkExclusive', 'look', 'close'] as const
        return { ...(Object.fromEntries(methods.map((name) => [name, mirror[name].bind(mirror)])) as unknown as Mirror), ...change(mirror) }
      },
    }
  }
  test.each<[string, (mirror: Mirror) => Partial<Mirror>, string]>([
    ['a device that does not count its faults', (mirror) => ({ read: async (...range) => ({ ...(await mirror.read(...range)), faults: 0 }) }), 'faults'],
    ['a table that keeps a page', (mirror) => ({ look: (address) => (address === 0x200004000 ? 'w' : mirror.look(address)) }), 'pt'],
    ['one that forgets what is exclusive', () => ({ checkExclusive: async () => undefined }), 'errno'],
    ['one that evicts nothing', () => ({ close: async () => undefined }), 'ev'],
  ])('%s', async (_, change, field) => {
    const found = new Set<string>()
    for (const path of programs(join(FIXTURES, 'basic'))) {
      for (const mismatch of (await runProgram(await readProgram(path), wrong(change))).mismatches) found.add(mismatch.field)
    }
    expect([...found]).toContain(field)
  })
})

describe('the command line', () => {
  test('equal: status 0 and a line', () => {
    expect(cli('diff', join(FIXTURES, 'basic'))).toEqual({ status: 0, out: '60 programs, 718 of 718 operations as the kernel did\n', err: '' })
  })

  test('compares as ordinary functions: not where its threads compile to something else', () => {
    const register = pathToFileURL(join(ROOT, 'packages/explore/dist/node/register.js')).href
    const { status, out, err } = spawned(['--import', register, BIN, 'diff', join(FIXTURES, 'basic')])
    expect([status, out]).toEqual([1, ''])
    expect(err).toContain('compiled already, to generators, and not to sequential')
  })

  test('as ordinary functions the model does what it does on promises', { timeout: 600_000 }, async () => {
    const { status, out } = cli('diff', FIXTURES, '--json')
    expect(status).toBe(0)
    expect(JSON.parse(out)).toEqual(await diff(programs(FIXTURES)))
  })

  test('a difference: status 1, the first one with the operations before it; all of them as JSON', () => {
    const path = file('changed.jsonl', example.replace('"errno":"EFAULT"', '"errno":"EPERM"').replace('[[0,2,5,"."]]', '[[0,2,4,"."]]'))
    const { status, out } = cli('diff', path)
    expect(status).toBe(1)
    expect(out).toContain(`${path}:5: pt: munmap page=2 n=2`)
    expect(out).toContain('kernel [[0,2,4,"."]]')
    expect(out).toContain('model  [[0,2,5,"."]]')
    expect(out).toContain('todev d=0 page=0 n=8 -> ret=0')
    const json = cli('diff', path, '--json')
    expect(json.status).toBe(1)
    expect(JSON.parse(json.out)).toEqual({
      programs: 1, operations: 13, equal: 12, mismatches: [{ file: path, line: 5, field: 'pt', expected: [[0, 2, 4, '.']], actual: [[0, 2, 5, '.']] }], scripts: [],
    })
  })

  test('a script: what the model does', () => {
    const { status, out } = cli('diff', file('mine.txt', '# two pages\nmmap page=0 n=2\ncpuw page=0 n=1 val=7\ndread page=0 n=1\nstate\n'))
    expect(status).toBe(0)
    expect(out).toContain('dread d=0 page=0 n=1 -> ret=0 cpages=1 faults=1 data=[[7,0,0,0]]')
    expect(out).toContain('maps=[[0,2,"rw-p",0,"anon"]]')
    const path = file('json.txt', 'mmap page=0 n=2\n# then\ncpur page=0 n=1\nstate\n')
    const { scripts } = JSON.parse(cli('diff', path, '--json').out) as DiffReport
    expect(scripts).toEqual([{ file: path, lines: [
      expect.objectContaining({ line: 1, op: 'mmap', page: 0, n: 2, prot: 'rw', ret: 0 }),
      expect.objectContaining({ line: 3, op: 'cpur', done: 1, data: [0] }),
      expect.objectContaining({ line: 4, state: 1, maps: [[0, 2, 'rw-p', 0, 'anon']] }),
    ] }])
  })

  test.each([
    ['no such file', join(folder, 'none.jsonl'), 'file: expected a file or folder, found ENOENT'],
    ['an empty folder', emptyFolder, 'file: expected recorded programs'],
    ['a gzip file that is cut', file('cut.jsonl.gz', gzipSync(example).subarray(0, 300)), 'file: expected a whole gzip file, found one that is cut short'],
    ['a damaged gzip file', file('damaged.jsonl.gz', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)), 'file: expected a gzip file, found a damaged one'],
    ['no JSON', file('broken.jsonl', example.replace('{"i":2,', '{"i":2;')), ':4: line: expected a JSON object'],
    ['an unknown operation', file('op.jsonl', example.replace('"op":"todev"', '"op":"tomoon"')), ':4: op: expected one of mmap, '],
    ['a missing field', file('field.jsonl', example.replace('"op":"munmap","page":2,', '"op":"munmap",')), ':5: page: expected a whole number, found none'],
    ['a field too many', file('more.jsonl', example.replace('"op":"munmap",', '"op":"munmap","speed":3,')), ':5: speed: expected no such field of munmap'],
    ['another type', file('type.jsonl', example.replace('"op":"munmap","page":2', '"op":"munmap","page":"2"')), ':5: page: expected a whole number, found'],
    ['no header', file('header.jsonl', example.slice(example.indexOf('\n') + 1)), ':1: header: expected the header'],
    ['no child', file('child.txt', 'child_r page=0 n=1'), ':1: op: expected a fork before it'],
    ['an argument twice', file('twice.txt', '\nmmap page=0 n=2 n=3'), ':2: n: expected one value, found "n=3"'],
    ['two settings', file('thp.txt', 'thp always never'), ':1: thp: expected always or never, found "always never"'],
    ['no such argument', file('argument.txt', 'mmap page=0 n=1 colour=red'), ':1: colour: expected no such field of mmap'],
  ])('%s: status 2 and a line that says where and what', (_, path, message) => {
    const { status, out, err } = cli('diff', path)
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain(path)
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
  })
})
