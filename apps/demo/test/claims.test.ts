import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const BIN = join(ROOT, 'apps/demo/bin/mmu-notifier.js')
const MINUTES = 60_000

function claims(...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [BIN, 'claims', ...args], { encoding: 'utf8', timeout: 20 * MINUTES, maxBuffer: 2 ** 26 })
}

beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/turbo/bin/turbo'), 'run', 'build', '--output-logs=errors-only'], { cwd: ROOT, stdio: 'pipe' })
})

/** Set where the same was done on another version of Node. */
const SKIP = process.env['MMU_NOTIFIER_SKIP_CLAIMS'] === '1'

test.skipIf(SKIP)('every variant of every claim does what it is expected to, and docs/claims.md is what they print (npm run docs)', { timeout: 20 * MINUTES }, () => {
  const { status, stdout, stderr } = claims('--markdown')
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toBe(readFileSync(join(ROOT, 'docs/claims.md'), 'utf8'))
})

interface Printed {
  readonly id: string
  readonly title: string
  readonly source: string
  readonly ok: boolean
  readonly variants: readonly { readonly name: string; readonly expect: string; readonly verdict: string; readonly oracle: string | null; readonly traces: number; readonly schedule: string | null }[]
}

test('--json, and the token of a row repeats its schedule', () => {
  const { status, stdout } = claims('c16', '--json')
  const [claim] = JSON.parse(stdout) as Printed[]
  expect([status, claim?.id, claim?.source, claim?.ok]).toEqual([0, 'C16', 'mail', true])
  expect(claim?.variants.find(({ name }) => name === 'right')).toMatchObject({ expect: 'pass', verdict: 'exhausted', oracle: null, schedule: null })
  const wrong = claim?.variants.find(({ name }) => name === 'a')
  expect(wrong).toMatchObject({ expect: 'STALE', verdict: 'failed', oracle: 'STALE' })
  const replayed = claims('C16', '--show', 'a', '--replay', wrong?.schedule ?? '')
  expect([replayed.status, replayed.stdout]).toEqual([1, expect.stringContaining('STALE  the device maps page 1 to frame 2, which is free')])
})

test('--show prints a report, and the line that repeats it', () => {
  const { status, stdout } = claims('C16', '--show', 'a')
  expect(status).toBe(0)
  expect(stdout).toMatch(/C16: readBegin[^]*device: page 1 -> frame 2[^]*mmu-notifier claims C16 --show a --replay 'v1:/)
})

test.each([
  [['C99'], 'claims C99: there is no such claim; they are C1, '],
  [['C16', '--show', 'z'], 'claims C16 --show z: its variants are right, '],
  [['--show', 'a'], 'claims --show: name one claim'],
  [['C16', '--replay', 'v1:'], 'claims --replay: say with --show which variant the token is of'],
  [['C16', '--show', 'a', '--json'], "'--show <variant>' cannot be used with option '--json'"],
  [['C16', '--json', '--markdown'], "'--json' cannot be used with option '--markdown'"],
  [['C16', '--show', 'a', '--replay', 'nonsense'], 'claims C16 --show a: EINVAL'],
])('%j', (args, message) => {
  const { status, stdout, stderr } = claims(...args)
  expect([status, stdout, stderr.split('\n').length]).toEqual([2, '', 2])
  expect(stderr).toContain(message)
})
