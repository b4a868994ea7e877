import fc from 'fast-check'

/** The text of a random module: an async function of nested statements that awaits, throws, loops, calls and returns, and says what it does. */
export const randomModule: fc.Arbitrary<string> = fc.letrec<{ expression: string; statement: string; block: string; closure: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('1', 'n', 'log("e")', 'n++', 'Promise.resolve(2)', 'quiet(Promise.reject(new Error("r")))', '(() => { throw new Error("t") })()', '{ then(ok) { log("then"); ok(3) } }', 'null?.x').map(wrap),
    tie('expression').map((x) => `await ${x}`).map(wrap),
    fc.tuple(tie('expression'), fc.constantFrom('+', '&&', '||', ','), tie('expression')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie('expression'), tie('expression'), tie('expression')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    tie('expression').map((x) => `log(${x})`),
    tie('closure'),
  ),
  closure: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(fc.constantFrom('async (x) => ', 'async x => '), tie('expression')).map(([head, x]) => `quiet((${head}${x})(n))`),
    fc.tuple(fc.constantFrom('async (x = n) =>', 'async function (x)', 'async function me(x, ...y)'), tie('block')).map(([head, body]) => `quiet((${head} ${body})(n))`),
    tie('block').map((body) => `quiet(({ async m(x) ${body} }).m(n))`),
    tie('block').map((body) => `quiet(new (class { #p = 1; async m(x) ${body} async go() { return [this.#p, await this.m(2)] } })().go())`),
  ),
  block: fc.array(tie('statement'), { minLength: 1, maxLength: 4, depthIdentifier: 'block' }).map((list) => `{ ${list.join('\n')} }`),
  statement: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('expression').map((x) => `log(${x})`),
    tie('expression').map((x) => `;${x}`),
    tie('expression').map((x) => `await ${x};`),
    tie('expression').map((x) => `await ${x} + 1;`),
    tie('expression').map((x) => `if (more()) return ${x};`),
    tie('expression').map((x) => `if (more()) throw ${x}; else await n;`),
    tie('expression').map((x) => `{ const { a = ${x}, ...b } = { b: n }; log(a); log(b) }`),
    fc.tuple(tie('block'), tie('block')).map(([a, b]) => `try ${a} catch (e) ${b}`),
    fc.tuple(tie('block'), tie('block')).map(([a, b]) => `try ${a} finally ${b}`),
    fc.tuple(tie('block'), tie('block'), tie('block')).map(([a, b, c]) => `try ${a} catch ${b} finally ${c}`),
    fc.tuple(tie('block'), fc.constantFrom('break', 'continue', 'continue out', 'break out', '')).map(([a, end]) => `out: for (let i = 0; i < 2; i++) { for (const j of [i, 2]) { if (!more()) break out; ${relabel(a)}; ${end} } }`),
    tie('block').map((a) => `do ${a} while (more() && await n)`),
    fc.tuple(tie('expression'), tie('block'), tie('block')).map(([x, a, b]) => `switch (${x}) { case await 1: ${a} break; case 2: ${b} default: await n }`),
    fc.tuple(fc.constantFrom('f', 'g'), tie('block')).map(([name, body]) => `{ log(more() && quiet(${name}(n))); async function ${name}(x) ${body} }`),
  ),
})).block.map((body) => `${HEAD}${body} }`)

/** Everything ends, and no rejection is left unhandled: that would be the test's. */
const HEAD = `const quiet = (promise) => { promise.catch(() => {}); return promise }
export default async function (log) {
let n = 0, fuel = 40
const more = () => fuel-- > 0
log = ((log) => (x) => { if (more()) log(x); return x })(log)
`

/** A label may not be that of a statement around it. */
function relabel(block: string): string {
  return block.replaceAll(/\bout_*/g, '$&_')
}

function wrap(expression: string): string {
  return `(${expression})`
}
