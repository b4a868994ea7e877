import { describe, expect, test } from 'vitest'
import { compile } from '../src/compile.ts'
import { compiledText, trace } from './both.ts'
import { SNIPPETS } from './snippets.ts'

describe('a compiled program does what the program does, and at the same turns of the microtask queue', () => {
  test.each(Object.entries(SNIPPETS))('%s', async (_, code) => {
    const native = await trace(code)
    expect(native.length).toBeGreaterThan(1)
    const text = compiledText(code)
    expect(text).not.toBe(code)
    expect(await trace(text)).toEqual(native)
    expect(text.split('\n').length).toBe(code.split('\n').length)
  })
})
