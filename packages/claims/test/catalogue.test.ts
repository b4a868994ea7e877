import { explore } from '@mmu-notifier/explore'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CLAIMS, findClaim, outline } from '../src/index.ts'

const root = join(import.meta.dirname, '..')

test('every file of claims is in the catalogue, once, by its name', () => {
  const files = readdirSync(join(root, 'src/claims')).map((file) => file.replace(/\.ts$/, ''))
  const ids = CLAIMS.map(({ id }) => id.toLowerCase().replace(/^([cbv])(\d)$/, '$10$2'))
  expect(ids.toSorted()).toEqual(files.toSorted())
})

test('each has a right variant before its wrong ones, or is right or wrong alone; names are unique', () => {
  for (const { id, variants } of CLAIMS) {
    const kinds = variants.map(({ expect: expected }) => (expected === 'pass' ? 'right' : 'wrong'))
    expect([id, kinds]).toEqual([id, kinds.toSorted()])
    expect([id, kinds.includes('right')]).toEqual([id, true])
    expect([id, new Set(variants.map(({ name }) => name)).size]).toEqual([id, variants.length])
  }
})

/** Tasks that read by the protocol: a device fault, or a part of one, with readBegin and readRetry or the counter that a driver with a classic notifier has in place of them; or `find`. */
const READERS: readonly string[] = ['device', 'device2', 'reader', 'visitor', 'finder', 'vcpu']

test('right variants have two device tasks, or at least three tasks of which one reads', () => {
  for (const { id, variants } of CLAIMS) {
    for (const { name, expect: expected, scenario } of variants) {
      if (expected !== 'pass') continue
      const tasks = Object.keys(scenario.tasks)
      const reads = tasks.filter((task) => /^device\d?$/.test(task)).length >= 2 || (tasks.length >= 3 && tasks.some((task) => READERS.includes(task)))
      expect([id, name, reads]).toEqual([id, name, true])
    }
  }
})

test('claims are found by id in any case', () => {
  expect([findClaim('c16')?.id, findClaim('C16')?.id, findClaim('C99')]).toEqual(['C16', 'C16', undefined])
})

test('the book begins with the list of all claims', () => {
  expect(readFileSync(join(root, '../../docs/claims.md'), 'utf8').startsWith(outline(CLAIMS))).toBe(true)
})

test('all run on the fast engine: nothing that they await is foreign to it', async () => {
  for (const { id, variants } of CLAIMS) {
    for (const { name, scenario } of variants) {
      const { counterexample } = await explore(scenario, { engine: 'generator', strategy: 'random', budget: 1 })
      expect([id, name, counterexample?.code]).not.toEqual([id, name, 'FOREIGN'])
    }
  }
})
