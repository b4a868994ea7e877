import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { shellCommand } from '../src/shell.ts'

test('words come out of a shell as they went in; those that need no quotes have none', () => {
  const words = ['', ' ', "it's", '$HOME', '`id`', 'a\nb', '*', '~', '=x', 'v1:f948:@1>t%202\'%C3%A9', 'é', '"', '\\', '!', '#', '--show']
  const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${shellCommand(words)}`], { encoding: 'utf8' })
  expect(printed.split('\0').slice(0, -1)).toEqual(words)
  expect(shellCommand(['mmu-notifier', 'claims', 'MAIN-1', './a_b/c.mjs', 'v1:f948:@1,@2+1'])).toBe('mmu-notifier claims MAIN-1 ./a_b/c.mjs v1:f948:@1,@2+1')
})
