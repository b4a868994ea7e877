import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

/* In a process of its own: what is tested is what becomes of its output. */
const BIN = resolve(import.meta.dirname, '../bin/mmu-notifier.js')
const PROGRAMS = resolve(import.meta.dirname, '../../../fixtures/kernel-reference/basic')
const FULL = '/dev/full'

test.each([
  ['selftest', ['selftest', 'anon_read']],
  ['diff', ['diff', PROGRAMS]],
  ['diff --json', ['diff', PROGRAMS, '--json']],
  ['--help', ['--help']],
])('%s ends without a word when nobody reads what it prints', async (_, args) => {
  const child = spawn(process.execPath, [BIN, ...args])
  child.stdout.destroy()
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { err += chunk })
  expect([await once(child, 'close'), err]).toEqual([[141, null], ''])
})

test('an error that nobody reads ends it too', async () => {
  const child = spawn(process.execPath, [BIN, 'diff', 'nowhere'])
  child.stderr.destroy()
  expect(await once(child, 'exit')).toEqual([141, null])
})

test.runIf(existsSync(FULL))('output that is lost is an error', () => {
  const { status, stderr } = spawnSync('sh', ['-c', `'${process.execPath}' '${BIN}' selftest anon_read > ${FULL}`], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([1, 'mmu-notifier: what it printed is lost: ENOSPC: no space left on device, write\n'])
})
