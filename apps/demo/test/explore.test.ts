import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Exploration } from '@mmu-notifier/explore'
import { afterAll, beforeAll, expect, test } from 'vitest'

/* In a process of its own, from what was built: the command explores in threads, which compile what they import. */
const ROOT = resolve(import.meta.dirname, '../../..')
const BIN = join(ROOT, 'apps/demo/bin/mmu-notifier.js')
const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-explore-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

function cli(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'explore', ...args], { cwd: folder, encoding: 'utf8', timeout: 300_000 })
  return { status, out: stdout, err: stderr }
}

function json(...args: string[]): Exploration {
  return JSON.parse(cli(...args, '--json').out) as Exploration
}

const account = (locks: boolean): string => `
export default {
  setup: (kernel) => ({ balance: kernel.cell('balance', 100), lock: kernel.mutex('account.lock') }),
  tasks: {
    deposit: ${locks ? '({ lock, ...account }) => lock.with(() => add(account, 50))' : '(account) => add(account, 50)'},
    withdraw: ({ lock, ...account }) => lock.with(() => add(account, -30)),
  },
  check({ balance }) {
    if (balance.value !== 120) throw new Error('the balance is ' + balance.value)
  },
}
const add = async ({ balance }, amount) => balance.write((await balance.read()) + amount)
`
/** n tasks that each increment under one lock: n! traces. */
const counter = (n: number): string => `
const task = async ({ lock, x }) => {
  await lock.lock()
  await x.write((await x.read()) + 1)
  await lock.unlock()
}
export const count = {
  setup: (kernel) => ({ lock: kernel.mutex('m'), x: kernel.cell('x', 0) }),
  tasks: { ${Array.from({ length: n }, (_, i) => `t${i}: task`).join(', ')} },
}
`

beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/turbo/bin/turbo'), 'run', 'build', '--output-logs=errors-only'], { cwd: ROOT, stdio: 'pipe' })
  for (const [name, code] of Object.entries({ 'wrong.mjs': account(false), 'right.mjs': account(true), 'counter.mjs': counter(5), 'none.mjs': 'export const x = 1' })) writeFileSync(join(folder, name), code)
  writeFileSync(join(folder, 'two.mjs'), 'export const a = { setup() {}, tasks: { async t() {} } }\nexport const b = a')
  writeFileSync(join(folder, 'broken.mjs'), 'export default {')
  mkdirSync(join(folder, 'lib'))
  writeFileSync(join(folder, 'lib/helper.mjs'), 'export const a = 1\n\n\nexport const b = ;')
  writeFileSync(join(folder, 'imports.mjs'), "import './lib/helper.mjs'")
  writeFileSync(join(folder, 'common.cjs'), '\nexports.x = ;')
  writeFileSync(join(folder, 'asks.mjs'), "import { x } from './none.mjs'\nimport { y } from './none.mjs'")
  writeFileSync(join(folder, 'typed.mjs'), "import './typed.ts'")
  writeFileSync(join(folder, 'typed.ts'), 'const x: number = 1\nconst y = = x')
  writeFileSync(join(folder, 'enum.ts'), 'interface A { x: number }\n/* colours */\nenum E {\n  A, B }')
  writeFileSync(join(folder, 'wrongly.mjs'), 'export default { setup() {}, tasks: { t: undefined } }\nexport const b = { setup() {}, tasks: { async t() {} }, check: 3 }')
  writeFileSync(join(folder, 'exits.mjs'), 'process.exit(3)')
  writeFileSync(join(folder, 'waits.mjs'), 'await new Promise(() => {})')
})

test('a failure is reported with a line to run it again, which does', () => {
  const { status, out } = cli('wrong.mjs')
  expect(status).toBe(1)
  expect(out).toMatch(/^CHECK {2}the balance is/)
  expect(out).toMatch(/ > .* wrong\.mjs:\d+/)
  const [, token = ''] = /mmu-notifier explore wrong\.mjs --replay '(v1:.*)'/.exec(out) ?? []
  const again = cli('wrong.mjs', '--replay', token)
  expect([again.status, again.out.split('\n')[0]]).toEqual([1, out.split('\n')[0]])
  expect(cli('right.mjs', '--replay', token).err).toContain('is of another scenario')
})

test('the line goes to a shell as it is, with all that decides what the token stands for', () => {
  mkdirSync(join(folder, "it's a folder"))
  const path = join("it's a folder", 'deadlock.mjs')
  writeFileSync(join(folder, path), `
    const task = (first, second) => async (locks) => { await locks[first].lock(); await locks[second].lock(); await locks[second].unlock(); await locks[first].unlock() }
    export const $it = { setup: (kernel) => ({ a: kernel.mutex('a'), b: kernel.mutex('b') }), tasks: { "one's é": task('a', 'b'), "two's é": task('b', 'a') } }
    export const spins = {
      setup: (kernel) => kernel.cell('x', 0),
      tasks: { a: async (x) => { while ((await x.read()) >= 0) await x.write(1) }, b: async (x) => { while ((await x.read()) >= 0) await x.write(2) } },
    }`)
  for (const options of [['--scenario', '$it', '--no-lockdep'], ['--scenario', 'spins', '--max-steps', '200']]) {
    const { status, out } = cli(path, ...options)
    expect([options, status, out]).toEqual([options, 1, expect.stringMatching(/^(DEADLOCK|LIVELOCK)/) as string])
    const line = out.trim().split('\n').at(-1) ?? ''
    const again = spawnSync('sh', ['-c', line.replace(/^mmu-notifier/, `'${process.execPath}' '${BIN}'`)], { cwd: folder, encoding: 'utf8' })
    expect([line, again.status, again.stderr]).toEqual([line, 1, ''])
    expect(again.stdout.split('\n')[0]).toBe(out.split('\n')[0])
  }
})

test('what does not fail is exhausted', () => {
  const { status, out } = cli('right.mjs')
  expect([status, out]).toEqual([0, expect.stringMatching(/^exhausted: 2 traces, \d+ executions/) as string])
  expect(cli('right.mjs', '--strategy', 'random', '--budget', '20').out).toBe('sampled: 20 executions; random walks\n')
})

test('shards on several machines, and jobs on one, add up to the whole', () => {
  const files = [1, 2, 3].map((i) => {
    const file = join(folder, `part${i}.json`)
    writeFileSync(file, cli('counter.mjs', '--strategy', 'dpor', '--shard', `${i}/3`, '--jobs', '2', '--json').out)
    return file
  })
  expect(cli('--merge', ...files).out).toMatch(/^exhausted: at most 120 traces/)
  expect(cli('--merge', ...files.slice(1)).out).toMatch(/^sampled: .*missing: 1, 2/)
  expect(json('counter.mjs', '--strategy', 'dpor', '--jobs', '3')).toMatchObject({ verdict: 'exhausted', traces: 120 })
  expect(json('wrong.mjs', '--jobs', '2').verdict).toBe('failed')
})

test('a counterexample opens in Perfetto', () => {
  cli('wrong.mjs', '--trace', 'trace.json')
  const { traceEvents } = JSON.parse(readFileSync(join(folder, 'trace.json'), 'utf8')) as { traceEvents: { name: string; ph: string; ts: number; dur?: number; tid: number }[] }
  expect(traceEvents.filter(({ ph }) => ph === 'M')).toHaveLength(2)
  expect(traceEvents.find(({ name }) => name === 'write balance')).toMatchObject({ ph: 'X', dur: 9 })
  expect(traceEvents.filter(({ ph }) => ph === 'b').length).toBe(traceEvents.filter(({ ph }) => ph === 'e').length)
  expect(traceEvents.at(-1)).toMatchObject({ name: 'CHECK', ph: 'i' })
})

test('a trace that cannot be written costs no report', () => {
  const whole = cli('wrong.mjs')
  const token = /--replay '(v1:.*)'/.exec(whole.out)?.[1] ?? ''
  for (const args of [[], ['--replay', token], ['--json']]) {
    const { status, out, err } = cli('wrong.mjs', ...args, '--trace', 'nowhere/x.json')
    expect([args, status, err]).toEqual([args, 2, 'mmu-notifier: --trace nowhere/x.json: cannot be written: ENOENT\n'])
    expect(out).toContain('the balance is')
    expect(out).toContain(token)
  }
  expect(cli('right.mjs', '--trace', 'none.json')).toMatchObject({ status: 0, err: 'mmu-notifier: --trace none.json: nothing fails, so nothing was written\n' })
  expect(existsSync(join(folder, 'none.json'))).toBe(false)
})

test('where `assume` drops every execution nothing was checked: status 1; a shard leaves that to --merge', () => {
  const drops = (condition: string): string => `
    const { assume } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'packages/explore/dist/index.js')).href)})
    export default { setup: (kernel) => kernel.cell('x', 0), tasks: { set: (x) => x.write(1), get: async (x) => { assume(${condition}) } } }`
  writeFileSync(join(folder, 'drops.mjs'), drops('(await x.read()) > 1'))
  writeFileSync(join(folder, 'keeps.mjs'), drops('(await x.read()) > 0'))
  const said = 'mmu-notifier: nothing was checked: `assume` dropped every execution\n'
  expect(cli('keeps.mjs')).toMatchObject({ status: 0, err: '' })
  expect(cli('drops.mjs')).toMatchObject({ status: 1, out: expect.stringContaining('dropped by assume') as string, err: said })
  expect(cli('drops.mjs', '--strategy', 'random', '--json')).toMatchObject({ status: 1, err: said })
  const shards = [1, 2].map((i) => {
    const { status, out, err } = cli('drops.mjs', '--shard', `${i}/2`, '--json')
    expect([status, err]).toEqual([0, ''])
    writeFileSync(join(folder, `drops${i}.json`), out)
    return `drops${i}.json`
  })
  expect(cli('--merge', ...shards)).toMatchObject({ status: 1, err: said })
})

test('--merge: what is no exploration is said with file and field', () => {
  const good = { verdict: 'exhausted', by: 'optimal DPOR', executions: 4, traces: 2, blocked: 0, dropped: 0, fingerprint: 'abcd', shard: { index: 0, count: 1 }, report: 'fine' }
  const failed = { ...good, verdict: 'failed', traces: undefined, counterexample: { code: 'CHECK', message: 'CHECK  no', token: 'v1:abcd:', steps: [] } }
  const merge = (content: unknown): { status: number | null; out: string; err: string } => {
    writeFileSync(join(folder, 'merge.json'), JSON.stringify(content))
    return cli('--merge', 'merge.json')
  }
  expect([merge(good).status, merge(failed).status]).toEqual([0, 1])
  for (const [content, message] of [
    [3, 'expected an object, found 3'],
    [{ parts: [] }, 'parts: expected at least one'],
    [{ parts: [good, { ...good, executions: '4' }] }, 'parts[1].executions: expected a whole number >= 0, found "4"'],
    [{ ...good, executions: -4 }, 'executions: expected a whole number >= 0, found -4'],
    [{ ...good, verdict: 'banana' }, 'verdict: expected exhausted, sampled, failed, found "banana"'],
    [{ ...good, traces: undefined }, 'traces: expected a whole number >= 0 of what is exhausted'],
    [{ ...good, fingerprint: 'a' }, 'fingerprint: expected four hex digits, found "a"'],
    [{ ...good, shard: 'x' }, 'shard: expected an index below its count, or none, found "x"'],
    [{ ...failed, report: undefined }, 'report: expected a string, found none'],
    [{ ...failed, counterexample: { code: 'CHECK' } }, 'counterexample: expected an object with code, message, token and steps'],
  ] as const) {
    const { status, out, err } = merge(content)
    expect([status, out, err]).toEqual([2, '', expect.stringContaining(`explore --merge merge.json: ${message}`) as string])
    expect(err.trim().split('\n')).toHaveLength(1)
  }
})

test.each<[string[], string | RegExp]>([
  [['nowhere.mjs'], 'explore nowhere.mjs: no such file'],
  [['none.mjs'], 'expected a scenario { setup, tasks, check? } as default export, found x (expected an object { setup, tasks, check? }, got a number)'],
  [['wrongly.mjs'], 'explore wrongly.mjs: expected a scenario { setup, tasks, check? } as default export, the default export is none: tasks.t: expected a function, got undefined'],
  [['wrongly.mjs', '--scenario', 'b'], 'explore wrongly.mjs: --scenario b: check: expected a function, got a number'],
  [['two.mjs'], 'its scenarios are a, b: pick one with --scenario'],
  [['two.mjs', '--scenario', 'c'], '--scenario c: there is no such export; its scenarios are a, b'],
  [['broken.mjs'], 'explore broken.mjs: cannot be loaded: broken.mjs:1: SyntaxError: Unexpected end of input'],
  [['imports.mjs'], "explore imports.mjs: cannot be loaded: lib/helper.mjs:4: SyntaxError: Unexpected token ';'"],
  [['asks.mjs'], "explore asks.mjs: cannot be loaded: asks.mjs:2: SyntaxError: The requested module './none.mjs' does not provide an export named 'y'"],
  [['typed.mjs'], 'explore typed.mjs: cannot be loaded: typed.ts:2: SyntaxError: '],
  [['enum.ts'], /explore enum\.ts: cannot be loaded: enum\.ts:3: SyntaxError: TypeScript .*enum/],
  [['exits.mjs'], 'ended the thread that explores it, with code 3'],
  [['right.mjs', '--shard', '3/2'], '--shard: expected I/N with N from 1 to 10000 and I from 1 to N, got 3/2'],
  [['right.mjs', '--shard', '1/100000'], '--shard: expected I/N with N from 1 to 10000 and I from 1 to N, got 1/100000'],
  [['right.mjs', '--shard', '1/9999', '--jobs', '2'], '--jobs 2 --shard 1/9999: expected at most 10000 parts, got 19998'],
  [['waits.mjs'], 'explore waits.mjs: cannot be loaded: Error: a top-level await, of it or of what it imports, never ends'],
  [['right.mjs', '--jobs', '0'], 'at least 1'],
  [['right.mjs', '--strategy', 'dpor', '--preemptions', '3'], '--strategy dpor --preemptions 3: --preemptions has an effect with portfolio, bounded only'],
  [['right.mjs', '--strategy', 'bounded', '--depth', '7'], '--strategy bounded --depth 7: --depth has an effect with portfolio, pct only'],
  [['right.mjs', '--strategy', 'bounded', '--seed', '1'], '--strategy bounded --seed 1: --seed has an effect with'],
  ...[['--strategy', 'dpor'], ['--budget', '20000'], ['--seed', '1'], ['--preemptions', '1'], ['--depth', '1'], ['--shard', '1/2'], ['--jobs', '1']].flatMap((option) => [
    [['right.mjs', '--replay', 'v1:abcd:', ...option], new RegExp(`'--replay <token>' cannot be used with option '${option[0] ?? ''} `)],
    [['--merge', 'x.json', ...option], new RegExp(`'--merge' cannot be used with option '${option[0] ?? ''} `)],
  ] as [string[], RegExp][]),
  [['--merge', 'x.json', '--no-lockdep'], "'--merge' cannot be used with option '--no-lockdep'"],
  [['--merge', 'x.json', '--replay', 'v1:abcd:'], "'--merge' cannot be used with option '--replay <token>'"],
  [['right.mjs', '--budget', '0'], 'expected a whole number of at least 1'],
  [['right.mjs', '--replay', 'v1:x'], 'expected a token like'],
  [['right.mjs', '--strategy', 'luck'], 'Allowed choices are portfolio, random'],
  [['--merge', 'right.mjs'], 'explore --merge right.mjs: Unexpected token'],
  [['right.mjs', 'wrong.mjs'], 'expected one file with a scenario, got 2'],
])('%j: one line and status 2', (args, message) => {
  const { status, err, out } = cli(...args)
  expect([status, out]).toEqual([2, ''])
  expect(err).toMatch(message)
  expect(err.trim().split('\n')).toHaveLength(1)
})

test.each([
  ['waits.mjs', 'Error: a top-level await, of it or of what it imports, never ends'],
  ['imports.mjs', "lib/helper.mjs:4: SyntaxError: Unexpected token ';'"],
  ['common.cjs', "common.cjs:2: SyntaxError: Unexpected token ';'"],
])('replay --driver ./%s: %s', (name, message) => {
  const { status, stderr } = spawnSync(process.execPath, [BIN, 'replay', join(ROOT, 'fixtures/recordings/sh-pipe'), '--driver', `./${name}`], { cwd: folder, encoding: 'utf8' })
  expect([status, stderr]).toEqual([2, `mmu-notifier: --driver ./${name}: cannot be loaded: ${message}\n`])
})

test('the command lines of the README of explore do what it says', () => {
  const [, lines = ''] = /^```sh\n(mmu-notifier explore[^]*?)^```$/m.exec(readFileSync(join(ROOT, 'packages/explore/README.md'), 'utf8')) ?? []
  writeFileSync(join(folder, 'account.mjs'), account(true))
  const commands = lines.trim().split('\n')
  expect(commands.length).toBeGreaterThan(4)
  for (const command of commands) {
    const { status, stderr, stdout } = spawnSync('sh', ['-c', command.replace(/^mmu-notifier/, `'${process.execPath}' '${BIN}'`)], { cwd: folder, encoding: 'utf8' })
    expect([command, status, stderr]).toEqual([command, 0, ''])
    if (!command.includes('>')) expect([command, stdout]).toEqual([command, expect.stringContaining('exhausted') as string])
  }
})
