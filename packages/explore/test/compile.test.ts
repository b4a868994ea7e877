import { originalPositionFor, TraceMap, type SourceMapInput } from '@jridgewell/trace-mapping'
import { getLineInfo } from 'acorn'
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

const options = { file: 'program.js', runtime: 'RT' }

test('says what it left as it is, where, and why; functions in it are compiled', () => {
  const { skipped } = compile(SNIPPETS['left as it is'] ?? '', options) ?? {}
  expect(skipped).toEqual([
    { line: 2, what: 'top-level await' },
    { line: 3, what: 'async generator' },
    { line: 4, what: 'for await' },
  ])
  const code = [
    'const o = { async m() { await super.m() } }',
    'function f() { return async () => { await arguments[0] } }',
    'function g() { return async () => { await new.target } }',
    'class B extends A { constructor() { const h = async () => { await this }; super() } }',
    'class C extends A { m() { return async () => { await super.m() } } }',
    'async function h() { await using x = y }',
    'const e = async () => { await eval("this") }',
    'for await (const x of y) {}',
  ]
  expect(compile(code.join('\n'), options)).toEqual({
    code: code.join('\n'),
    map: expect.anything() as unknown,
    skipped: [
      { line: 1, what: 'super in a method of an object literal' },
      { line: 2, what: 'arguments in an async arrow function' },
      { line: 3, what: 'new.target in an async arrow function' },
      { line: 4, what: 'this in an async arrow function, in a constructor before super()' },
      { line: 5, what: 'super in an async arrow function' },
      { line: 6, what: 'await using' },
      { line: 7, what: 'eval in an async arrow function' },
      { line: 8, what: 'top-level for await' },
    ],
  })
})

test('leaves nothing as it is without need', () => {
  const code = [
    'class B extends A { constructor() { super(); this.h = async () => { await this } } }',
    'const f = async (x) => { await x.arguments; return { arguments: 1 } }',
    'const g = async () => { await 0; return class extends A { x = super.y; z = this; static { this.w = super.v } } }',
    'const h = async () => { await 0; return { m() { return super.x + arguments.length }, f() { return new.target } } }',
    'function k() { return async () => arguments[0] }',
  ]
  const { code: text, skipped } = compile(code.join('\n'), options) ?? {}
  expect(skipped).toEqual([])
  expect(text).not.toMatch(/async|, this\).*\n.*, this\)/)
})

test('leaves alone what has no async function, and throws for what is no module', () => {
  expect(compile('const async = () => "await"', options)).toBeUndefined()
  expect(compile('export const x = 1', options)).toBeUndefined()
  expect(() => compile('async function {', options)).toThrow(SyntaxError)
})

test('keeps a hashbang first, and every line where it was', () => {
  expect(compile('#!/usr/bin/env node\r\nasync function f() {\r\n await 1 }', options)?.code.split('\r\n')).toEqual([
    '#!/usr/bin/env node',
    'import { now as __now, slot as __slot, run as __run } from "RT"; function f() { return __run(f$task, this, arguments) } function* f$task() {',
    ' ;(__now( 1) ? __slot.value : yield __slot.value) }',
  ])
})

test('the map leads back to line and column', () => {
  const code = "const before = 1; async function f(a) { await before;\n  await a; throw new Error('x') }"
  const { code: text = '', map } = compile(code, options) ?? {}
  const tracer = new TraceMap(map as unknown as SourceMapInput)
  for (const word of ['before', 'throw', 'new']) {
    const [at, was] = [getLineInfo(text, text.lastIndexOf(word)), getLineInfo(code, code.lastIndexOf(word))]
    expect(originalPositionFor(tracer, at)).toMatchObject({ source: 'program.js', ...was })
  }
})
