import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'

/* The README's other programs, as a reader would use them; the first one runs with those of all packages, the command lines with the command line. */
const README = readFileSync(resolve(import.meta.dirname, '../README.md'), 'utf8')
const VITEST = resolve(import.meta.dirname, '../../../node_modules/vitest/vitest.mjs')
const folder = mkdtempSync(join(import.meta.dirname, 'readme-'))

afterAll(() => {
  rmSync(folder, { recursive: true })
})

function block(language: string, containing: string): string {
  const blocks = [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, code]) => code ?? '')
  return blocks.find((code) => code.includes(containing)) ?? expect.unreachable(`a block with ${containing}`)
}

function run(): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [VITEST, 'run', '--root', folder, '--config', join(folder, 'vitest.config.js')], { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } })
  return { status, text: stdout + stderr }
}

test('a test that explores, compiled as the README says', () => {
  const given = block('ts', '@mmu-notifier/explore/vitest')
  writeFileSync(join(folder, 'vitest.config.js'), block('js', 'exploreCompile'))
  writeFileSync(join(folder, 'counts.test.ts'), given)
  const right = run()
  expect([right.status, right.text]).toEqual([0, expect.stringContaining('1 passed') as string])
  const wrong = given.replace('count.update((held) => held + 1)', 'count.write((await count.read()) + 1)')
  expect(wrong).not.toBe(given)
  writeFileSync(join(folder, 'counts.test.ts'), wrong)
  const { status, text } = run()
  expect([status, text]).toEqual([1, expect.stringMatching(/CHECK {2}count is 1\n[^]*replay: v1:[^]* > /) as string])
})
