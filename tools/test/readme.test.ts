import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { format } from 'node:util'
import { describe, expect, test, vi } from 'vitest'

/*
 * The program that each README shows first is the file test/readme.example.ts, to the letter; here it runs, and prints what the README says
 * that it prints. `UPDATE_READMES=1 npx vitest run --project repo readme` writes both into the READMEs.
 */
const PACKAGES = resolve(import.meta.dirname, '../../packages')
const UPDATE = process.env['UPDATE_READMES'] === '1'

/** The first fenced block of a language. */
const fence = (language: string): RegExp => new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm')

describe.each(readdirSync(PACKAGES))('the first program of %s', (name) => {
  const readme = join(PACKAGES, name, 'README.md')
  const example = join(PACKAGES, name, 'test/readme.example.ts')

  function check(language: string, text: string): void {
    expect(existsSync(readme), `${name} has a README.md`).toBe(true)
    const old = readFileSync(readme, 'utf8')
    if (UPDATE) writeFileSync(readme, old.replace(fence(language), () => `\`\`\`${language}\n${text}\`\`\``))
    else expect(fence(language).exec(old)?.[1]).toBe(text)
  }

  test('is the file that is tested', () => {
    check('ts', readFileSync(example, 'utf8'))
  })

  test('prints what the README says', async () => {
    const lines: string[] = []
    const log = vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => { lines.push(format(...args)) })
    try {
      await import(example)
    } finally {
      log.mockRestore()
    }
    check('text', `${lines.join('\n')}\n`)
  })
})
