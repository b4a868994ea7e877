import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Cell } from '@mmu-notifier/kernel'
import { afterAll, beforeAll, expect, test as plain } from 'vitest'
import { it } from '../src/node/vitest.ts'
import { assume, exploring, type ExploringOptions, type Scenario } from '../src/index.ts'
import * as bugs from './bugs.ts'
import { lockinc } from './programs.ts'

it.explore('passes where nothing fails', lockinc(3))
it.explore('passes where what is to fail does', bugs.account(), { fails: 'THROWN' })
it.explore('passes where sampling is what is asked for', lockinc(3), { strategy: 'random', budget: 10 })

/** What the test would have thrown. */
async function message<State>(scenario: Scenario<State>, options?: ExploringOptions): Promise<string> {
  const bodies: (() => Promise<void>)[] = []
  exploring((_name, _options, body) => bodies.push(body)).explore('x', scenario, options)
  const error: unknown = await bodies[0]?.().then(() => undefined, (thrown: unknown) => thrown)
  return error instanceof Error ? error.message : ''
}

plain('the message is the report', async () => {
  expect(await message(bugs.account())).toMatch(/^\nTHROWN {2}task check: wrong balance\nat bugs\.ts:\d+\n[^]*replay: v1:[^]* > /)
  expect(await message(bugs.account(), { fails: 'DEADLOCK' })).toMatch(/^\nexpected a failure DEADLOCK, got\nTHROWN/)
  expect(await message(lockinc(3), { fails: 'CHECK' })).toMatch(/^\nexpected a failure CHECK, got\nexhausted: 6 traces/)
})

plain('a sample is no proof', async () => {
  expect(await message(lockinc(6), { budget: 100 })).toMatch(/^\nsampled: 100 executions[^]*raise the budget/)
  expect(await message(lockinc(6), { budget: 100, atLeast: 'sampled' })).toBe('')
})

plain('it ends before the timeout, and says how far it came', async () => {
  const update = async (x: Cell<number>): Promise<void> => {
    for (let i = 0; i < 6; i++) await x.update((held) => held)
  }
  const tasks = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`t${i}`, update]))
  const began = Date.now()
  expect(await message({ setup: (kernel) => kernel.cell('x', 0), tasks }, { budget: 1e9, timeout: 1000 })).toMatch(/^\nsampled: \d+ executions[^]*there are more: raise the timeout of 1000 ms, which was over, make/)
  expect(Date.now() - began).toBeLessThan(20_000) // and not for ever
})

plain('what assume drops altogether is no proof either', async () => {
  expect(await message({ setup: () => 0, tasks: { async a() { assume(false) } } })).toMatch(/^\nexhausted: 0 traces[^]*Nothing was checked: `assume` drops every execution$/)
})

const folder = mkdtempSync(join(import.meta.dirname, 'node-test-'))
const scenario = (sum: number): string => `
import { it } from 'node:test'
import { exploring } from '@mmu-notifier/explore'
exploring(it).explore('adds up', {
  setup: (kernel) => kernel.cell('x', 0),
  tasks: { a: async (x) => { await x.write((await x.read()) + 1) }, b: async (x) => { await x.write((await x.read()) + 1) } },
  check(x) { if (x.value > ${sum}) throw new Error('too much') },
})
`

beforeAll(() => {
  execFileSync(process.execPath, [resolve(import.meta.dirname, '../../../node_modules/turbo/bin/turbo'), 'run', 'build', '--filter=@mmu-notifier/explore', '--output-logs=errors-only'], { stdio: 'pipe' })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

plain('works under node --test', () => {
  writeFileSync(join(folder, 'right.mjs'), scenario(2))
  writeFileSync(join(folder, 'wrong.mjs'), scenario(1))
  const run = (name: string): { status: number | null; stdout: string } => spawnSync(process.execPath, ['--test', join(folder, name)], { encoding: 'utf8', env: { ...process.env, NODE_TEST_CONTEXT: undefined } })
  expect(run('right.mjs').status).toBe(0)
  const { status, stdout } = run('wrong.mjs')
  expect([status, stdout]).toEqual([1, expect.stringMatching(/CHECK {2}too much[^]*wrong\.mjs:6/) as string])
})
