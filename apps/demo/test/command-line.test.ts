import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { main } from '../src/index.ts'

const RECORDINGS = resolve(import.meta.dirname, '../../../fixtures/recordings')
const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-cli-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

interface Outcome {
  status: number
  out: string
  err: string
}

async function cli(...args: string[]): Promise<Outcome> {
  const text = { out: '', err: '' }
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((line: string) => { text.out += `${line}\n` }),
    vi.spyOn(console, 'error').mockImplementation((line: string) => { text.err += `${line}\n` }),
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => (text.out += String(chunk)) !== ''),
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => (text.err += String(chunk)) !== ''),
  ]
  try {
    return { status: await main(args), ...text }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const trace = gunzipSync(readFileSync(join(RECORDINGS, 'vmops/trace.strace.gz'))).toString('latin1')

test('--json prints one object with what was asked for', async () => {
  const { status, out, err } = await cli('replay', join(RECORDINGS, 'sh-pipe'), '--json')
  expect([status, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toMatchObject({
    lines: 185,
    calls: 126,
    checkpoints: { equal: 8, compared: 8 },
    stale: 0,
    // How many entries are cleared for a copy on write depends on the schedule.
    invalidationsByEvent: { release: 5, unmap: 27, protectionVma: 11, protectionPage: 24 },
    drivers: [{ name: 'selftest' }, { name: 'nouveau' }],
    left: { notifiers: 0, frames: 0 },
  })
})

test('without --json a table says the same', async () => {
  const { status, out } = await cli('replay', join(RECORDINGS, 'sh-pipe'), '--driver', 'nouveau')
  expect(status).toBe(0)
  expect(out).toMatch(/checkpoints equal \/ compared +│ +\S*8 \/ 8/)
  expect(out).toContain('driver nouveau')
  expect(out).not.toContain('driver selftest')
})

test('a plain strace file has no checkpoints', async () => {
  for (const path of [file('plain.strace', trace), file('plain.strace.gz', gzipSync(trace))]) {
    const { status, out } = await cli('replay', path, '--json')
    expect([status, JSON.parse(out)]).toMatchObject([0, { lines: 207, checkpoints: { equal: 0, compared: 0 }, stale: 0 }])
  }
})

test('a driver of one’s own, by path', async () => {
  const path = file('mine.mjs', `
    export default { name: 'mine', attach: () => ({ fault: () => Promise.reject(Object.assign(new Error('no'), { code: 'EFAULT', [Symbol.for('@mmu-notifier/error')]: true })), detach: async () => {} }) }
  `)
  const { status, out } = await cli('replay', join(RECORDINGS, 'sh-pipe'), '--driver', path, '--driver', 'selftest', '--json')
  expect([status, JSON.parse(out)]).toMatchObject([0, { drivers: [{ name: 'mine', accesses: 0, callbacks: 0 }, { name: 'selftest' }] }])
})

test('a driver that forgets to unmap is found out: exit status 1, the oracle and the page', async () => {
  const path = file('forgets.mjs', `
    export default { name: 'forgets', attach: ({ mm, mmu }) => ({
      async fault(address, access) {
        await mm.fault(address, access)
        const pte = mm.pageTable.get(address)
        await mmu.map({ ...mm.pageAt(address), pfns: Int32Array.of(pte & ~12) })
      },
      detach: () => mmu.unmap({ start: 0, last: 2 ** 47 }),
    }) }
  `)
  const { status, out } = await cli('replay', join(RECORDINGS, 'sh-pipe'), '--driver', path, '--json')
  const report = JSON.parse(out) as { stale: number; violations: string[] }
  expect(status).toBe(1)
  expect(report.stale).toBeGreaterThan(0)
  expect(report.violations[0]).toMatch(/^STALE {2}page 0x\w+ is .* of forgets:/)
})

describe('what is wrong is said in one line, with exit status 2 and no stack', () => {
  test.each<[string, () => string[], RegExp]>([
    ['no such recording', () => ['replay', join(folder, 'nowhere')], /nowhere: .*no such file/],
    ['a directory that is none', () => ['replay', folder], /trace\.strace/],
    ['text that is no strace output', () => ['replay', file('poem.txt', 'Shall I compare thee\nto a summer’s day?\n')], /poem\.txt:1: .*expected .*strace/],
    ['a truncated line', () => ['replay', file('cut.strace', trace.slice(0, trace.lastIndexOf('mmap(') + 20))], /cut\.strace:\d+: .*truncated/],
    ['an impossible address', () => ['replay', file('address.strace', '1 execve("/x", ["x"], 0x7ffc0000 /* 1 var */) = 0\n1 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f1234567123\n')], /address\.strace:2: .*0x7f1234567123/],
    ['an unknown driver', () => ['replay', join(RECORDINGS, 'sh-pipe'), '--driver', 'noveau'], /--driver noveau: unknown driver: expected selftest, nouveau, a path like/],
    ['a driver file that is not there', () => ['replay', join(RECORDINGS, 'sh-pipe'), '--driver', './nowhere.js'], /--driver \.\/nowhere\.js: no such file/],
    ['a driver file with an error', () => ['replay', join(RECORDINGS, 'sh-pipe'), '--driver', file('broken.mjs', 'throw new Error("oops")')], /broken\.mjs: cannot be loaded: Error: oops/],
    ['a module that is no driver', () => ['replay', join(RECORDINGS, 'sh-pipe'), '--driver', file('none.mjs', 'export default { name: "none" }')], /none\.mjs: the default export is no driver: driver none: expected a function attach/],
    ['a module without a default export', () => ['replay', join(RECORDINGS, 'sh-pipe'), '--driver', file('named.mjs', 'export const driver = 1')], /named\.mjs: expected a default export made by defineDriver, found driver/],
    ['a driver twice', () => ['replay', join(RECORDINGS, 'sh-pipe'), '--driver', 'nouveau', '--driver', 'nouveau'], /a driver named nouveau is there already/],
    ['a seed that is none', () => ['replay', join(RECORDINGS, 'sh-pipe'), '--seed', 'x'], /--seed.*expected a whole number/],
    ['an unknown command', () => ['relpay'], /unknown command 'relpay'/],
    ['no recording', () => ['replay'], /missing required argument 'recording'/],
  ])('%s', async (_, args, message) => {
    const { status, out, err } = await cli(...args())
    expect(err).toMatch(message)
    expect(err.trim().split('\n').length).toBeLessThanOrEqual(2)
    expect(err).not.toMatch(/^\s+at /m)
    expect([status, out]).toEqual([2, ''])
  })
})

test('--help and --version', async () => {
  expect(await cli('--version')).toMatchObject({ status: 0, out: '0.1.0\n' })
  const { status, out } = await cli('--help')
  expect(status).toBe(0)
  for (const command of ['demo', 'replay']) expect(out).toContain(command)
})
