import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { BUILTIN } from '../src/drivers.ts'

const readme = readFileSync(resolve(import.meta.dirname, '../../../README.md'), 'utf8')

test.each(Object.values(BUILTIN))('the README says of $name what it says of itself', ({ name, capabilities }) => {
  const yes = (value: boolean | undefined): string => (value ? 'yes' : 'no')
  expect(readme).toMatch(new RegExp(`^\\| \\[${name}\\]\\(packages/driver-${name}\\) \\| .* \\| ${yes(capabilities?.nonBlockable)} \\| ${yes(capabilities?.splitsIntervals)} \\|$`, 'm'))
})
