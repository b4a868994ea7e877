import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

/*
 * What users get: every package packed, all tarballs installed into an empty folder, and there each README's first program compiled and
 * run, and a driver of somebody else's over a recording.
 */
const ROOT = resolve(import.meta.dirname, '../..')
const PACKAGES = readdirSync(join(ROOT, 'packages'))
const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-consumer-'))

function run(command: string, args: readonly string[], cwd = folder): string {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, NO_COLOR: '1' } })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

/** At the same place as in the repository, for those that read fixtures. */
function example(name: string, kind: 'ts' | 'js'): string {
  return `packages/${name}/test/readme.example.${kind}`
}

function node(...args: string[]): string {
  return run(process.execPath, args)
}

vi.setConfig({ testTimeout: 120_000 })

beforeAll(() => {
  run(process.execPath, [join(ROOT, 'node_modules/turbo/bin/turbo'), 'run', 'build', '--output-logs=errors-only'], ROOT)
  const tarballs = join(folder, 'tarballs')
  mkdirSync(tarballs)
  run('npm', ['pack', '--workspaces', '--pack-destination', tarballs], ROOT)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...readdirSync(tarballs).map((file) => `./tarballs/${file}`)])
  for (const name of PACKAGES) cpSync(join(ROOT, example(name, 'ts')), join(folder, example(name, 'ts')))
  cpSync(join(ROOT, 'fixtures/recordings'), join(folder, 'fixtures/recordings'), { recursive: true })
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe.each(PACKAGES)('@mmu-notifier/%s', (name) => {
  test('can be imported, and required', () => {
    expect(Number(node('--input-type=module', '-e', `console.log(Object.keys(await import('@mmu-notifier/${name}')).length)`))).toBeGreaterThan(0)
    expect(Number(node('--input-type=commonjs', '-e', `console.log(Object.keys(require('@mmu-notifier/${name}')).length)`))).toBeGreaterThan(0)
  })
})

describe.each([
  ['TypeScript 7', 'node_modules/@typescript/native/bin/tsc'],
  ['TypeScript 6', 'node_modules/@typescript/old/bin/tsc'],
])('%s', (_, compiler) => {
  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('compiles every first program with module %s, libraries checked', (module, resolution) => {
    const types = join(ROOT, 'node_modules/@types')
    node(
      join(ROOT, compiler), '--strict', '--target', 'es2022', '--lib', 'es2022,dom', '--module', module, '--moduleResolution', resolution, '--skipLibCheck', 'false',
      '--typeRoots', types, '--types', 'node', ...PACKAGES.map((name) => example(name, 'ts')),
    )
  })
})

test('every first program runs', () => {
  for (const name of PACKAGES) expect(node(example(name, 'js')), name).not.toBe('')
})

test('the demo runs from what was packed, and shows what the README says', () => {
  const out = node('node_modules/@mmu-notifier/demo/bin/mmu-notifier.js', 'demo')
  const said = /```text\n([^]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? ''
  expect(said).toContain('checkpoints equal')
  for (const line of said.trim().split('\n')) expect(out).toContain(line)
  expect(out).toMatch(/stale translations .* +│ +0 │/)
  expect(out).toMatch(/gpu faults {2}releases \[0x100000, 0x107fff\]/)
})

test('a driver of somebody else’s runs over a recording', () => {
  writeFileSync(join(folder, 'that-driver.js'), THAT_DRIVER)
  const out = node('node_modules/@mmu-notifier/demo/bin/mmu-notifier.js', 'replay', join(ROOT, 'fixtures/recordings/vmops'), '--driver', './that-driver.js', '--json')
  const report = JSON.parse(out) as { checkpoints: { equal: number; compared: number }; stale: number; drivers: { name: string; callbacks: number; accesses: number }[] }
  expect(report).toMatchObject({ stale: 0, leaks: 0, left: { notifiers: 0, frames: 0 }, drivers: [{ name: 'that' }] })
  expect(report.checkpoints.equal).toBe(report.checkpoints.compared)
  expect(report.checkpoints.compared).toBeGreaterThan(5)
  expect(report.drivers[0]?.callbacks).toBeGreaterThan(10)
  expect(report.drivers[0]?.accesses).toBeGreaterThan(10)
})

/** What somebody would write who has read the README of @mmu-notifier/driver: intervals of fixed, aligned chunks, made by faults. */
const THAT_DRIVER = `
import { defineDriver, mirrorPages } from '@mmu-notifier/driver'

const CHUNK = 64 * 1024

export default defineDriver({
  name: 'that',
  attach(host) {
    const { kernel, mm, mmu } = host
    const lock = kernel.mutex('that.lock')
    let callbacks = 0

    const ops = {
      async invalidate(notifier, range, seq) {
        callbacks++
        if (!(await lock.lockFor(range))) return false
        await notifier.setSeq(seq)
        await mmu.unmap(range.within(notifier))
        await lock.unlock()
        return true
      },
      release(notifier) {
        kernel.trace('that:released', notifier.start)
      },
    }

    /** The chunk's notifier, with a reference of ours. */
    async function chunkAt(address) {
      const start = Math.floor(address / CHUNK) * CHUNK
      await mm.notifiers.registerIntervals()
      const tree = await mm.notifiers.lockTree()
      try {
        const found = await tree.find(ops, address, address)
        if (found) {
          await found.get()
          return found
        }
        const [made] = await tree.batch({ insert: [{ interval: { start, last: start + CHUNK - 1 }, ops, data: { start } }] })
        await made.get()
        return made
      } finally {
        await tree.unlock()
      }
    }

    return {
      async fault(address, access) {
        const notifier = await chunkAt(address)
        try {
          await mirrorPages(host, notifier, lock, { ...mm.pageAt(address), access })
        } finally {
          await notifier.put()
        }
      },
      async detach() {
        await mm.notifiers.removeAll(ops)
        await lock.with(() => mmu.unmap({ start: 0, last: Number.MAX_SAFE_INTEGER }))
        await mm.notifiers.synchronize()
        kernel.trace('that:detached', callbacks)
      },
    }
  },
})
`
