import { findFailure, type Driver } from '@mmu-notifier/driver'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nouveau } from '../src/index.ts'

const SOURCES = { 'nouveau.ts': '../src/nouveau.ts', 'per-area.ts': '../../driver/src/per-area.ts' }
const IMPORT = "import { cutIntervals, defineDriver, findOrInsert, mirrorPages, removeIntervals, type Driver } from '@mmu-notifier/driver'"
const OWN_IMPORT = "import { defineDriver, mirrorPages, type Driver } from '@mmu-notifier/driver'\nimport { cutIntervals, findOrInsert, removeIntervals } from './per-area.ts'"

/** The driver's own source, and that of its intervals, with one line changed. */
async function mutant(name: string, from: string, to: string): Promise<Driver> {
  const folder = join(import.meta.dirname, 'mutants', name)
  mkdirSync(folder, { recursive: true })
  let found = 0
  for (const [file, path] of Object.entries(SOURCES)) {
    const source = readFileSync(join(import.meta.dirname, path), 'utf8')
    found += source.split(from).length - 1
    writeFileSync(join(folder, file), source.replace(IMPORT, OWN_IMPORT).replace(from, to))
  }
  if (found !== 1) throw new Error(`expected exactly one ${JSON.stringify(from)} in the driver, found ${found}`)
  const module = (await import(join(folder, 'nouveau.ts'))) as { nouveau: Driver }
  return module.nouveau
}

test('no run of 300 shows anything', async () => {
  expect(await findFailure(nouveau, { seeds: 300 })).toBeUndefined()
})

test.each<[string, string, string, RegExp]>([
  ['set-seq-is-skipped', 'await notifier.setSeq(seq)', '', /^seed \d+: STALE {2}page 0x7f0000\w{6}/],
  ['the-flush-is-dropped', 'await mmu.unmap(range.within(notifier))', 'await mmu.clear(range.within(notifier))', /^seed \d+: STALE {2}page 0x7f0000\w{6} is (still )?in the TLB of nouveau:mm /],
  ['freed-right-after-the-async-put', 'await notifier.removeDeferred()', '{ await notifier.removeDeferred(); notifier.free() }', /^seed \d+: UAF .* uses the notifier \[0x7f0000\w{6}, 0x7f0000\w{6}\] of mm in [\w ]+, which \w+ has freed/],
  ['the-reference-is-taken-after-the-unlock', 'await found.get() // before the unlock: afterwards it may be gone\n      return found', 'await tree.unlock()\n      await found.get()\n      return found', /^seed \d+: /],
  ['what-is-cut-off-is-not-covered', 'insert: rest.map((interval) => ({ interval, ops }))', 'insert: []', /^seed \d+: STALE {2}page/],
  ['the-last-reference-is-not-put', 'await notifier.put()', '', /^seed \d+: DEADLOCK .*wait mmu_notifier_subscriptions_wq/s],
])('%s', async (name, from, to, message) => {
  const failure = await findFailure(await mutant(name, from, to), { seeds: 1000 })
  expect(`seed ${failure?.seed ?? 'none'}: ${failure?.error.message ?? ''}`).toMatch(message)
})
