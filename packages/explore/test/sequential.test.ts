import { getLineInfo } from 'acorn'
import { originalPositionFor, TraceMap, type SourceMapInput } from '@jridgewell/trace-mapping'
import { describe, expect, test } from 'vitest'
import { done } from '../src/done.ts'
import { sequential } from '../src/sequential.ts'
import { load } from './both.ts'

const RUNTIME = 'data:text/javascript,export const { done } = globalThis[Symbol.for("test.done")]'
;(globalThis as Record<symbol, unknown>)[Symbol.for('test.done')] = { done }

/** Modules whose default export is called with a `log`, and awaits nothing but itself. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'declarations, expressions, arrows': `
    export default async function (log) {
      const f = async function me(n) { return n === 0 ? 'end' : await me(n - 1) }, g = async (x) => (await f(x)) + '!', h = async x => { log(await g(x)) }, k = async () => ({ a: 1 })
      await h(2); log(await k()); log(f.length + h.length + f.name + g.name); return await hoisted()
      async function hoisted() { return 7 }
    }`,
  'methods of all kinds': `
    const key = 'computed'
    class A { async m(x) { return x } static async s() { return 's' } }
    class B extends A {
      #secret = 3
      static x = 1
      field = async () => { await 0; return this.#secret }
      async m(x) { return [await super.m(x), await this.#p()] }
      async #p() { return this.#secret }
      static async s() { return (await super.s()) + 't' }
      static async async() { return 'named async' }
      async [key]() { return 'c' }
      async 'a string'() { return 'q' }
      async get() { return 'get' }
    }
    export default async function (log) {
      const b = new B(), o = { async m() { return this.v }, v: 5, async [key]() { return 1 }, async async() { return 2 }, __proto__: { async p() { return 3 } } }
      for (const what of [b.m(1), B.s(), B.async(), b.computed(), b['a string'](), b.get(), b.field(), o.m(), o.computed(), o.async(), o.p()]) log(await what)
    }`,
  'a field without a semicolon before a method': `
    const c = [1, 2]
    class A { f = c
      async [1]() { return 'method' }
      static g = c
      static async [0]() { return 'static' } }
    export default async (log) => { log(new A().f); log(await new A()[1]()); log(await A[0]()) }`,
  'no semicolons at all': `
    let x = 1
    async function f() { return 2 }
    export default async (log) => {
      let y = x
      await f()
      const t = []
      async () => { t.push('never called') }
      t.push(y)
      await (async () => { t.push(await f()) })()
      log(t)
    }`,
  'this, arguments, super and new.target in arrows': `
    class A { async m() { return 'A' } }
    class B extends A { m() { return (async () => [await super.m(), this.n, arguments.length])() } n = 4
      constructor() { const late = async () => this; super(); this.late = late } }
    function F(log) { return (async () => { await 0; return [new.target === F, arguments.length] })() }
    export default async (log) => { const b = new B(); log(await b.m(1, 2)); log((await b.late()) === b); log(await F(1)) }`,
  'errors, catch and finally': `
    const fail = async (x) => { throw new Error(x) }
    export default async (log) => {
      try { await fail('a') } catch (e) { log(e.message) } finally { log('f') }
      const g = async () => { try { return await fail('b') } catch (e) { return 'caught ' + e.message } finally { await 0; log('finally') } }
      log(await g())
      for (const i of [1, 2]) { try { await fail(i) } catch { continue } finally { log(i) } }
      await fail('out of main')
    }`,
  'awaits in every place': `
    const id = async (x) => x
    export default async (log) => {
      const { [await id('a')]: x, b = await id(2) } = { a: 1 }; log([x, b, ...await id([3])])
      log(-await id(1) + (await id({ y: 2 })).y * await id(3)); log(typeof await id('s')); log(await await id(1) ? await id(2) : 0)
      for (let i = await id(0); i < await id(2); i += await id(1)) log(i)
      log(\`\${await id('t')}\`); log((await id(log))(await id('called'))); log(await id(null) ?? 'nullish'); log((await id(0), await id(1)))
      switch (await id(2)) { case await id(2): log('two') }
      out: while (await id(true)) { do { break out } while (await id(true)) }
      const later = id('later'); log(await later); log(await 5); if (await id(true)) await id(log('if'))
    }`,
}

async function said(code: string): Promise<{ readonly log: unknown[]; readonly end: unknown; readonly promise: boolean }> {
  const { default: main } = await load(code)
  const log: unknown[] = []
  try {
    const result = main((what: unknown) => { log.push(what) })
    return { log, end: await result, promise: result instanceof Promise }
  } catch (error) {
    return { log, end: String(error), promise: false }
  }
}

const options = { file: 'program.js', runtime: RUNTIME }
const compile = (code: string): string => sequential(code, options)?.code ?? code

describe('what awaits nothing but itself does the same without promises', () => {
  test.each(Object.entries(PROGRAMS))('%s', async (_, code) => {
    const text = compile(code)
    expect(text).not.toMatch(/\bawait\b|\basync\b(?! *[(']|\.)/)
    expect(text.split('\n').length).toBe(code.split('\n').length)
    const native = await said(code)
    expect(native.log.length).toBeGreaterThan(0)
    expect(await said(text)).toEqual({ ...native, promise: false })
  })
})

test('a promise cannot be waited for: an error where it is awaited, and none of the promise itself', async () => {
  const { end, log } = await said(compile(`export default async (log) => { log('before'); await Promise.reject(new Error('late')); log('never') }`))
  expect(log).toEqual(['before'])
  expect(end).toMatch(/^TypeError: sequential code cannot wait: it awaits a promise/)
})

test('says what it left as it is, where, and why; functions in it are compiled', () => {
  const nested = sequential('async function* outer() {\n  return async function* inner() {} }', options)
  expect(nested?.skipped.map(({ line }) => line)).toEqual([1, 2])
  const code = ['async function* g() { yield 1 }', 'async function f() { for await (const x of g()) await (async () => { await x })() }', 'async function h() { await using x = y }']
  const { code: text, skipped } = sequential(code.join('\n'), options) ?? {}
  expect(skipped).toEqual([{ line: 1, what: 'async generator' }, { line: 2, what: 'for await' }, { line: 3, what: 'await using' }])
  expect(text?.split('\n')[1]).toBe('async function f() { for await (const x of g()) await ( () => { __done( x) })() }')
})

test('imports nothing where nothing is awaited', () => {
  expect(sequential('async function f() {}', options)?.code).toBe(' function f() {}')
})

test('leaves alone what has no async function, and throws for what is no module', () => {
  expect(sequential('const async = () => "await"', options)).toBeUndefined()
  expect(sequential('export const x = await 1', options)).toBeUndefined()
  expect(() => sequential('async function {', options)).toThrow(SyntaxError)
})

test('keeps a hashbang first, every line where it was, and names that are taken', () => {
  const { code, map } = sequential('#!/usr/bin/env node\nconst __done = 1\nasync function f(a) {\n await a; throw __done }', { ...options, runtime: 'RT' }) ?? {}
  expect(code?.split('\n')).toEqual(['#!/usr/bin/env node', 'import { done as __done1 } from "RT";const __done = 1', ' function f(a) {', ' __done1( a); throw __done }'])
  expect(originalPositionFor(new TraceMap(map as unknown as SourceMapInput), getLineInfo(code ?? '', code?.indexOf('throw') ?? 0))).toMatchObject({ line: 4, column: 10 })
})
