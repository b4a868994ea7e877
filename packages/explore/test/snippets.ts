/** Programs for `compile.test.ts`: what each is about, and the text of a module whose default export is called with a `log`. */
export const SNIPPETS: Record<string, string> = {}

/** The body of an async main function. */
function main(name: string, body: string, before = ''): void {
  SNIPPETS[name] = `${before}\nexport default async function (log) {${body}}`
}

main('starts at once', `
  const f = async () => { log('in f'); await null; log('after'); return 7 }
  log('before'); const p = f(); log('called'); log(await p)`)
main('throws before the first await', `
  async function f() { throw new Error('x') }
  let p; try { p = f(); log('no throw') } catch { log('thrown') }
  try { await p } catch (e) { log(e) }`)
main('throws between awaits, out of main', `await 1; log('a'); await null; throw new Error('out')`)
main('catch and finally', `
  async function f(x) {
    try { log('try'); if (await x) throw new Error('t'); return await 'r' }
    catch (e) { log(e); return 'caught' }
    finally { log('f1'); await 0; log('f2') }
  }
  log(await f(true)); log(await f(false))`)
main('finally that overrides', `
  async function f() { for (const x of [1, 2]) { try { return x } finally { await 0; if (x === 1) continue; log('second') } } }
  log(await f())`)
main('a rejected promise is thrown in', `try { await Promise.reject(new Error('no')) } catch (e) { log(e) } finally { log('f') }`)
main('foreign thenables, also returned ones', `
  const thenable = (v) => ({ then(ok) { log('then'); ok(v) } })
  log(await thenable(3)); const f = async () => thenable(4); log(await f())
  const bad = { get then() { throw new Error('get') } }; try { await bad } catch (e) { log(e) }
  const g = async () => bad; try { await g() } catch (e) { log(e) }`)
main('a promise returned, awaited and not', `
  const slow = async () => { await 0; await 0; return 's' }
  const a = async () => slow(), b = async () => await slow(), c = async () => { return slow() }
  const order = []; await Promise.all([a().then(() => log('a')), b().then(() => log('b')), c().then(() => log('c')), slow().then(() => log('s'))])`)
main('a promise with another constructor', `
  class P extends Promise { then(a, b) { log('P.then'); return super.then(a, b) } }
  log(await new P((ok) => ok(5)))
  const p = Promise.resolve(1); Object.defineProperty(p, 'constructor', { get() { throw new Error('ctor') } })
  try { await p } catch (e) { log(e) }`)
main('default parameters', `
  async function f(a, b = a + 1, { c, d = b } = {}, ...rest) { log([a, b, c, d, rest]); await 0; return arguments.length }
  log(f); log(await f(1)); log(await f(1, 2, { c: 3 }, 4, 5)); log(await f(1, undefined))
  async function g(a = (() => { throw new Error('default') })()) { log('never') }
  let p; try { p = g(); log('called') } catch { log('sync') } try { await p } catch (e) { log(e) }
  const h = async ({ x }) => x; try { p = h(); log('called') } catch { log('sync') } try { await p } catch (e) { log(e) }
  const k = async ({ x }) => { await 0 }; try { p = k(); log('called') } catch { log('sync') } try { await p } catch (e) { log(e) }`)
main('destructuring with awaits', `
  const o = { a: 1 }; const { [await 'a']: x, b = await 2 } = o; log([x, b]); let y, z
  ;[y, z = await 3] = [await 1]; log([y, z]); ({ y, ...z } = await { y: 4, w: 5 }); log([y, z])
  for (const [k, v = await k] of [[1], [2, 3]]) log([k, v])
  const t = {}; [(await t).p, t[await 'q']] = [1, 2]; log(t)`)
main('closures in loops', `
  const fs = []; for (let i = 0; i < 3; i++) { await 0; fs.push(async () => { await 0; return i }) }
  for (const f of fs) log(await f())`)
main('labels', `
  outer: for (let i = 0; i < 4; i++) { for (let j = 0; j < 4; j++) {
    if (await (j === 2)) continue outer; if (i === 2) break outer; log([i, j]) } }
  block: { await 0; if (await 1) break block; log('never') }
  let n = 0; do await n; while (n++ < 2); log(n)
  only: await 5; if (n) await 6; else await 7; if (!n) await 6
  else await 8
  switch (await n) { case await 3: log('three'); await 0; break; default: log('other') }`)
main('await in every place', `
  const o = { m(x) { return [this === o, x] }, p: { q: 9 }, n: null, k: 2 }, id = (...a) => a
  log(\`a\${await 1}b\${\`\${await 2}\`}\`); log(String.raw\`x\${await 1}y\`); log((await o)?.p?.[await 'q']); log(o.n?.[await 'no'])
  log((await o).m(await 3)); log(await o.m(3)); log(id(await 1, ...(await [2, 3]), [await 4, ...await [5]], { [await 'k']: await 6, ...await { z: 1 } }))
  let a; a ??= await 1; a &&= await 2; a ||= await 3; a += await 4; a = a + await 5 * await 2 - await 1; log(a); o.k **= await 3; log(o.k)
  log(await 1 ? await 2 : await 3); log(await 0 || await 4); log(await 1 && await 5); log(await null ?? await 6)
  log(-await 3); log((-(await 2)) ** 2); log((await 2) ** await 3); log(!await 0); log(typeof await 'x'); log(void await 0); log(~await 1); log(- -await 1)
  log(await 1 + await 2); log(await 3 in [1, 2, 3, 4]); log(await [] instanceof Array); log((await 1, await 2)); log([await 1, , await 3].length)
  log(new (await Date)(0).getTime()); log(new Date(await 5).getTime()); log((await (async () => async () => 7)())()  instanceof Promise)
  for (let i = await 0; i < await 2; i += await 1) log(i); for (const x of await [1, 2]) log(x); for (const k in await { a: 1 }) log(k); for (await 1; false;);
  let w = 2; while (await (w-- > 0)) log('w'); log(await await await 8); log((await import("data:text/javascript,export default 4")).default)
  log(await function () { return 3 }); log(await async function () { await 0 }); log(await class K {}); log(await /a|b/.test('b')); log(await (/* c */ 4) /* await */ / 2)
  const f = async () => { throw await new Error('t') }; await f().catch(log); delete (await o).k; log(o.k); log(await [1][0])
  log(class { static [await 's'] = 4 }.s); log(class extends (await Map) {}.name === ''); try { null.x } catch ({ name = await 1 }) { log(name) }`)
main('recursion', `
  async function fib(n) { return n < 2 ? n : (await fib(n - 1)) + await fib(n - 2) }
  const fact = async function self(n) { return n ? n * await self(n - 1) : 1 }
  const other = fact; log(await fib(7)); log(await other(5)); log(fact); log(fib)
  const w = async function me() { try { me = 1 } catch (e) { log(e.name) } await 0; return me === w }; log(await w())
  const odd = async (n) => n === 0 ? false : await even(n - 1), even = async (n) => n === 0 ? true : await odd(n - 1); log(await odd(7))`)
main('hoisting', `
  log(await late()); { log(await inner()); async function inner() { return await 'in' } }
  async function late() { return await 'late' }
  { async function late() { await 0; return 'shadow' } log(await late()) } log(await late())`, 'const early = top(); async function top() { return await 1 }')
main('arrows', `
  const a = async () => ({ x: await 1 }), b = async x => await x, c = async (x) => x, d = async () => {}, e = async (/* a */) => /* b */ (await 1, 2) // c
  const f = async x => y => x + y, g = async (x, y = async () => await x) => await y(), h = async () => async () => await 3, i = async ({ a }, [b]) => [a, b, await 0]
  log([await a(), await b(1), await c(2), await d(), await e(), (await f(1))(2), await g(4), await (await h())(), await i({ a: 1 }, [2])])
  for (const x of [a, b, c, d, e, f, g, h, i, async () => await 0, async (a, b, c) => await 0, async (a) => 0]) log(x)
  for (const x of [a, b]) { try { new x() } catch (e) { log(e.name) } log('prototype' in x) }
  log(await (async () => { 'use strict'; return await this })()); log((async () => await 1)() instanceof Promise)
  const t = true ? async () => 1 : async () => await 2; log(await t()); const j = async () =>
    await 9
  log(await j()); const l = async (
    x,
  ) => {
    return await x
  }
  log(await l(3))`)
main('arrows with the this of where they are', `
  const o = { v: 1, m() { return async () => { await 0; return this.v } }, n() { return async (x) => this.v + x }, async p() { const q = async () => async () => { await 0; return this.v }; return await (await q())() },
    r: async function () { return await (async () => (await 0, this.v))() } }
  log(await o.m().call({ v: 2 })); log(await o.n()(1)); log(await o.p()); log(await o.r()); log(await o.r.call({ v: 8 }))
  class A { f = async () => { await 0; return this.w }; w = 5; constructor() { this.g = async () => (await 0, this.w) } static s = async () => (await 0, this.name) }
  class B extends A { constructor() { super(); this.h = async () => (await 0, this.w) } }
  class C extends A { constructor() { const h = async () => (await 0, this.w); super(); this.h = h } }
  const { f, g } = new A(); log([await f(), await g(), await new B().h(), await new C().h(), await A.s()])`)
main('arguments, super and new.target in arrows', `
  async function f() { const g = async () => { await 0; return arguments.length }; const h = async () => arguments[0]; return [await g(1), await h(2)] }
  log(await f(7, 8, 9)); class A { m() { return 'A' } } class B extends A { m() { return async () => { await 0; return super.m() } } n() { return async () => super.m() } }
  log(await new B().m()()); log(await new B().n()())
  function N() { this.t = async () => { await 0; return new.target === N }; this.u = async () => new.target === N } log([await new N().t(), await new N().u()])`)
main('methods of object literals', `
  const k = 'dyn', o = { async a(x) { await 0; return [this === o, x, arguments.length] }, async 'b c'() { return await 1 }, async [k]() { return await 2 }, async 3() { return await 4 },
    async get() { return await 5 }, async async() { return await 6 }, async await() { return await 7 }, async __proto__() { return await 8 }, async static(a, b) {}, x: 1,
    async s() { return await super.toString() }, fn: async function () { return await this.x }, get y() { return 5 }, async: 1 }
  log(await o.a(1, 2)); log(await o['b c']()); log(await o.dyn()); log(await o[3]()); log(await o.get()); log(typeof o.async); log(await o.await()); log(await o.__proto__()); log(Object.getPrototypeOf(o) === Object.prototype)
  log(await o.s()); log(await o.fn()); log(o.a); log(o['b c']); log(o.static); log(o.fn); log(o[3]); log(Object.keys(o)); try { new o.a() } catch (e) { log(e.name) }`)
main('methods of classes', `
  const k = 'dyn'
  class A { #p = 1
    async a(x, y, z = 1) { await 0; return [this.#p, x, arguments.length] }
    async [k](a) { return await this.#q(a) }
    async #q(a) { await 0; this.#p++; return [a, this.#p] }
    static async s() { await 0; return [this === A, await A.#t()] }
    static async #t() { return await 't' }
    get g() { return 'g' } async g2() { return await this.g } set g(v) {}
    async 'quoted name'() { return await 1 } async 5() { return await 5 } async get() { return await 'get' } async set() {} async static() {} static async async() { return await 'sa' } async async() { return await 'a' }
    v = 1
    async dup() { return await 1 } async dup() { return await 2 }
    w = 2
    async *gen() { yield await 1 }
    static {  this.block = async () => (await 0, this.name) }
  }
  const a = new A(); log(await a.a(1, 2)); log(await a.dyn(3)); log(await A.s()); log(await a.g2()); log(await a['quoted name']()); log(await a[5]()); log(await a.get()); log(await A.async()); log(await a.async()); log(await a.dup()); log(await A.block())
  for await (const x of a.gen()) log(x)
  log(a.a); log(a.dyn); log(A.s); log(a['quoted name']); log(Object.getOwnPropertyNames(A.prototype).join()); log(Reflect.ownKeys(A).length); log(Object.keys(a))`)
main('super in methods', `
  class A { async m(x) { await 0; return ['A', x, this.n] } static async s() { return await 'As' } get h() { return 'Ah' } }
  class B extends A { n = 1; async m(x) { return ['B', await super.m(x), super.h] } static async s() { return [await super.s(), this.name] } async #p() { return await super.m(0) } async q() { return await this.#p() } }
  class C extends B { async m(x) { return ['C', await super.m(x)] } async n2() { return await (async () => await super.m(5))() } }
  log(await new C().m(1)); log(await C.s()); log(await new B().q()); log(await new C().n2()); log(Object.getOwnPropertyNames(B.prototype).join())
  const M = (P) => class extends P { async m(x) { return ['M', await super.m(x)] } async k() { return await this.m(2) } }
  const D = M(M(A)); log(await new D().m(1)); log(await new D().k()); log(D.name); log(Reflect.ownKeys(D).join())`)
main('a method called on what has no private members', `
  class A { constructor() { this.started = this.go() } async go() { return await 'A' } }
  class B extends A { #x = 1; async go() { await 0; return ['B', this.#x] } }
  log(await new B().started)
  const p = new Proxy(new (class { async m() { return await typeof this } })(), {}); log(await p.m())
  class K { async m() { await 0; return this === undefined } }; const { m } = new K(); log(await m()); log(await K.prototype.m.call(1))`)
main('classes without a name', `
  const X = class { async m() { return await X.name } static async s() { return await this.name } }; log(await new X().m()); log(await X.s()); log(X)
  log(class { async m() { await 0 } }); log([class { async m() { await 0 } }][0].name); const o = { Y: class { async m() { await 0 } }, ['c']: class { static name = 'own'; async m() { await 0 } } }; log(o.Y.name); log(o.c.name)
  log([class { static name() { return 1 } async m() { await 0 } }][0].name()); let q; (q) = async () => { await 0 }; log(q.name)
  const N = class Inner { async m() { return await Inner.name } }; log(await new N().m())`)
main('words in strings, templates, regular expressions and comments', `
  const s = 'async function f() { await x }', t = \`await \${'async'} \${await 1} await\`, r = /await async/ // await async () => {}
  /* async function g() { await 1 } */ log(s); log(t); log(r.source); const o = { await: 1, async: 2 }; log(o.await + o.async)
  const async = 3; log(async); const async2 = (async) => async; log(async2(4)); async: for (;;) break async`)
main('no semicolons', `
  const log2 = log
  await 1
  let a = log
  await 2
  ;(await log)('x')
  let b = log2
  await [1].map((x) => x + 1)[0]
  await a('y'), await a('z')
  let c = 1
  await 3 + 4
  c++
  await 5
  let o = { x: 1 }
  await o.x ? log('t') : log('f')
  const r = await 4
  ;[1].forEach(log)
  const g = async () => 1
  async function h() { await
    1
    return await (
      2
    ) }
  log(await h()); if (c) await 1
  if (0) await 1, log('then'); else await 2, log('else'); for (const x of [1, 2]) await x, log(x)
  await 2, log('n'); const t = () => 0
  await /x/.test('x')
  let u = c
  async () => {}
  log(u)
  { await 7
  await 8 } await 9; do await 1
  while (0) await 2, log('w')`)
SNIPPETS['fields without semicolons'] = `
class A { x = 1
  async [Symbol.iterator]() { return await 'it' }
  y = 2
  async m() { return await this.x }
  static z = [3]
  static async [0]() { return await this.z[0] }
  static
  async s() { return await 4 } get
  async() { return 5 } async
  p() { return 'field async' }
  static async
  q() { return 'static field' } }
export default async (log) => { const a = new A(); log(await a[Symbol.iterator]()); log(await a.m()); log(await A[0]()); log(await A.s()); log(a.p()); log('async' in a); log(a.q()); log('async' in A) }`
SNIPPETS['names that are taken'] = `
const __run = 1, f$task = 2, __arrow = 3, __fn = 4, __call = 5, _0 = 6; let m$task = 7
async function f(x) { await 0; return [f$task, x, _0] }
class A { #m$task = 8; m$task = 9; async m(x) { await 0; return [this.#m$task, this.m$task, m$task, x] } }
export default async (log) => { log([__run, __arrow, __fn, __call]); log(await f(1)); log(await new A().m(2)); log(typeof f$task1); const run = async (__arrow) => await __arrow; log(await run(3)) }`
SNIPPETS['async default expression'] = `export default async (log) => { await 0; log('x'); return this === undefined }`
SNIPPETS['default class'] = `export default class extends Function { constructor() { super(); return async (log) => { log(await 1) } } async m() { await 0 } }`
SNIPPETS['hashbang'] = `#!/usr/bin/env node\nexport default async function main(log) { log(main.name); return await 1 }`
SNIPPETS['this at the top of a module'] = `const f = async () => { await 0; return this === undefined }\nexport default async (log) => { log(await f.call({})) }`
SNIPPETS['default export without a name'] = `export { default as me } from "data:text/javascript,export default 1"\nexport default async function (log) { log(arguments.length); return await typeof this }`
SNIPPETS['left as it is'] = `
const x = await 3
async function* gen() { const y = async () => await 4; yield await y() }
async function loop(log) { for await (const v of gen()) log(v); const z = async () => { await 0; return 'in' }; log(await z()) }
export default async function (log) { log(x); await loop(log) }`
