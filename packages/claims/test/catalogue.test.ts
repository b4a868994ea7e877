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

test('right variants have at least three tasks, or two whose devices fault', () => {
  for (const { id, variants } of CLAIMS) {
    for (const { name, expect: expected, scenario } of variants) {
      const tasks = Object.keys(scenario.tasks)
      const devices = tasks.filter((task) => task.startsWith('device'))
      expect(expected !== 'pass' || tasks.length >= 3 || devices.length >= 2, `${id} ${name}: ${tasks.join(', ')}`).toBe(true)
    }
  }
})

test('claims are found by id in any case', () => {
  expect([findClaim('c16')?.id, findClaim('C16')?.id, findClaim('C99')]).toEqual(['C16', 'C16', undefined])
})

test('the book begins with the list of all claims', () => {
  expect(readFileSync(join(root, '../../docs/claims.md'), 'utf8').startsWith(outline(CLAIMS))).toBe(true)
})
