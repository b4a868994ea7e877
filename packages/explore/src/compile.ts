import { getLineInfo, parse, type Token } from 'acorn'
import { MagicString, type SourceMap } from 'magic-string'
import { Names } from './names.ts'
import { keyName, nameFrom } from './naming.ts'
import { rewrite, type Module } from './rewrite.ts'
import { walk, type ClassNode, type FunctionNode, type Scope } from './syntax.ts'

/** A module whose async functions are generators. */
export interface Compiled {
  /** Every line is where it was. */
  readonly code: string
  readonly map: SourceMap
  /** What was left as it is, and what it is that a generator cannot do. */
  readonly skipped: readonly Skipped[]
}

export interface Skipped {
  /** From 1. */
  readonly line: number
  readonly what: string
}

/**
 * Turns the async functions of an ES module into generators that the runtime drives: with promises, as they would be, or by a {@link Machine}.
 *
 * @param options.file the file's name in the source map
 * @param options.runtime what the module imports `frames.ts` by
 * @returns undefined when there is no async function
 * @throws SyntaxError for what is no JavaScript module
 */
export function compile(code: string, options: { readonly file: string; readonly runtime: string }): Compiled | undefined {
  if (!/\basync\b|\bawait\b/.test(code)) return undefined
  const tokens: Token[] = []
  const program = parse(code, { ecmaVersion: 'latest', sourceType: 'module', onToken: tokens })
  const functions: (Scope & { readonly node: FunctionNode })[] = []
  const skipped: Skipped[] = []
  const text = new MagicString(code)
  const skip = (start: number, what: string): void => { skipped.push({ line: getLineInfo(code, start).line, what }) }

  const edits: (() => void)[] = []
  const top = walk(program, {
    function(scope) {
      if (!scope.node.async) return
      const what = reason(scope)
      if (what === undefined) edits.push(() => { rewrite(module, scope) })
      else skip(scope.node.start, what)
      if (what === undefined) functions.push(scope)
    },
    class(node, path) {
      const parent = path.at(-1)
      edits.push(() => { finishClass(module, node, nameFrom(node, parent) ?? '') })
    },
  })
  for (const { node } of top.awaits) skip(node.start, 'top-level await')
  if (top.native) skip(top.native.start, `top-level ${top.native.what}`)
  if (functions.length === 0) return skipped.length > 0 ? compiled(text, options.file, skipped) : undefined

  const names = new Names(top.names)
  const imports = new Map<string, string>()
  const module: Module = {
    text,
    tokens,
    names,
    classes: new Map(),
    runtime(name) {
      const local = names.fixed(`__${name}`)
      imports.set(name, local)
      return local
    },
  }
  for (const edit of edits) edit()
  const list = Array.from(imports, ([name, local]) => `${name} as ${local}`).join(', ')
  addImport(text, list, options.runtime)
  return compiled(text, options.file, skipped)
}

/** @returns why an async function stays what it is */
function reason({ node, path, uses, native, awaits, outer }: Scope & { readonly node: FunctionNode }): string | undefined {
  if (node.generator) return 'async generator'
  if (native) return native.what
  const parent = path.at(-1)
  if (parent?.type === 'Property' && parent.method && uses.has('super')) return 'super in a method of an object literal'
  if (node.type !== 'ArrowFunctionExpression' || awaits.length === 0) return undefined
  for (const what of ['arguments', 'super', 'new.target', 'eval'] as const) if (uses.has(what)) return `${what} in an async arrow function`
  return uses.has('this') && !hasThis(node.start, outer) ? 'this in an async arrow function, in a constructor before super()' : undefined
}

/** There is a `this` to take at `start`: in the constructor of a derived class there is none before it has called `super`. */
function hasThis(start: number, scope: Scope | undefined): boolean {
  let home = scope
  while (home?.node.type === 'ArrowFunctionExpression') home = home.outer
  const parent = home?.path.at(-1)
  if (home?.node.type !== 'FunctionExpression' || parent?.type !== 'MethodDefinition' || parent.kind !== 'constructor') return true
  const owner = home.path.at(-3) as ClassNode
  if (!owner.superClass) return true
  return home.node.body.body.some(
    (statement) =>
      statement.end <= start && statement.type === 'ExpressionStatement' && statement.expression.type === 'CallExpression' && statement.expression.callee.type === 'Super',
  )
}

/** What the methods of a class need of it. */
function finishClass({ text, classes, runtime }: Module, node: ClassNode, name: string): void {
  const entry = classes.get(node)
  if (!entry) return
  const { head } = entry
  if (entry.name !== undefined) {
    text.appendLeft(node.start + 'class'.length, ` ${entry.name}`)
    const named = node.body.body.some((member) => member.type !== 'StaticBlock' && member.static && [undefined, 'name'].includes(keyName(member.key, member.computed)))
    if (!named) head.unshift(`static { ${runtime('named')}(this, ${JSON.stringify(name)}) }`)
  }
  if (head.length > 0) text.appendLeft(node.body.start + 1, ` ${head.join(' ')}`)
}

/** What has become of a module. The map is made when it is asked for: that takes longer than all the rest. */
export function compiled(text: MagicString, file: string, skipped: readonly Skipped[]): Compiled {
  return {
    code: text.toString(),
    get map() {
      return text.generateMap({ source: file, includeContent: true, hires: 'boundary' })
    },
    skipped: skipped.toSorted((a, b) => a.line - b.line),
  }
}

/** In the first line, behind a hashbang: no line moves. */
export function addImport(text: MagicString, list: string, from: string): void {
  text.prependLeft(/^#!.*\r?\n?/.exec(text.original)?.[0].length ?? 0, `import { ${list} } from ${JSON.stringify(from)};`)
}

