import { getLineInfo, parse, tokTypes, type Token } from 'acorn'
import { MagicString } from 'magic-string'
import { addImport, compiled, type Compiled, type Skipped } from './compile.ts'
import { Names } from './names.ts'
import { startsStatement, token } from './rewrite.ts'
import { walk, type FunctionNode, type Scope } from './syntax.ts'

/**
 * Turns the async functions of an ES module into ordinary ones: a call returns at once what its promise would have been fulfilled with, and throws what it would have been
 * rejected with. So it is for a program of one task that never has to wait; there it does the same, without a promise and without a turn of the microtask queue for each await.
 *
 * What differs: an error is thrown by the call, even where the await comes later; and there is no promise, so nothing may be done with it but to await it.
 *
 * @param options.runtime what the module imports `done.ts` by
 * @returns undefined when there is no async function
 * @throws SyntaxError for what is no JavaScript module
 */
export function sequential(code: string, { file, runtime }: { readonly file: string; readonly runtime: string }): Compiled | undefined {
  if (!/\basync\b/.test(code)) return undefined
  const tokens: Token[] = []
  const program = parse(code, { ecmaVersion: 'latest', sourceType: 'module', onToken: tokens })
  const text = new MagicString(code)
  const functions: (Scope & { readonly node: FunctionNode })[] = []
  const skipped: Skipped[] = []
  const top = walk(program, {
    function(scope) {
      const { node, native } = scope
      if (!node.async) return
      if (node.generator || native) skipped.push({ line: getLineInfo(code, node.start).line, what: native?.what ?? 'async generator' })
      else functions.push(scope)
    },
    class: () => undefined,
  })
  const done = new Names(top.names).fresh('__done')
  let awaits = 0
  for (const { node, path, awaits: own } of functions) {
    for (const { node: { start, end } } of own) {
      text.update(start, start + 'await'.length, `${done}(`)
      text.appendLeft(end, ')')
      awaits++
    }
    removeAsync(text, tokens, node, path)
  }
  if (awaits > 0) addImport(text, `done as ${done}`, runtime)
  return functions.length === 0 && skipped.length === 0 ? undefined : compiled(text, file, skipped)
}

function removeAsync(text: MagicString, tokens: readonly Token[], { start, type }: FunctionNode, path: Scope['path']): void {
  const parent = path.at(-1)
  let at = start
  let instead = ''
  if (parent?.type === 'MethodDefinition' || (parent?.type === 'Property' && parent.method)) {
    at = token({ text, tokens }, tokTypes.name, parent.start, 'async')
    // Since a class field may stand before it that has no semicolon.
    if (parent.type === 'MethodDefinition' && !parent.static) instead = ';'
  } else if (type === 'ArrowFunctionExpression' && startsStatement(start, path)) instead = ';'
  text.update(at, at + 'async'.length, instead)
}
