import { tokTypes, type ArrowFunctionExpression, type FunctionExpression, type MethodDefinition, type Property, type Token, type TokenType } from 'acorn'
import type { MagicString } from 'magic-string'
import { item } from './item.ts'
import { isProto, keyName, nameFrom } from './naming.ts'
import { taskName, type Names } from './names.ts'
import type { ClassNode, FunctionNode, Path, Scope } from './syntax.ts'

/** What an edit needs of its module. */
export interface Module {
  readonly text: MagicString
  readonly tokens: readonly Token[]
  readonly names: Names
  /** The name under which the module imports something of the runtime. */
  readonly runtime: (export_: 'run' | 'now' | 'slot' | 'fn' | 'arrow' | 'call' | 'named' | 'take') => string
  /** What a class gets at its beginning, and the name that it got. */
  readonly classes: Map<ClassNode, { name?: string; head: string[] }>
}

/**
 * Turns the async function `scope` into a generator, in place and without moving a line. What it contains has been rewritten before, so that text
 * inserted where two of them end comes from the inside out.
 *
 * - A declaration `async function f(a) {B}` becomes two, hoisted both:
 *   `function f(_0) { return run(f$task, this, arguments) } function* f$task(a) {B}`
 * - A method of a class becomes two, the second of them static, whatever the first one is: a method may be called before its object has private
 *   members (by the constructor of a base class), or on an object that never has them (a proxy).
 *   `f(_0) { return run(C.#f$task, this, arguments) } static *#f$task(a) {B}`
 * - Everything else is a closure: `fn(function* f$task(a) {B}, "f")`.
 */
export function rewrite(module: Module, scope: Scope & { readonly node: FunctionNode }): void {
  const { node, path } = scope
  const parent = path.at(-1)
  for (const { node: { start, end }, path } of scope.awaits) rewriteAwait(module, start, end, path)
  if (node.type === 'FunctionDeclaration') declaration(module, node)
  else if (node.type === 'ArrowFunctionExpression') (scope.awaits.length > 0 ? arrow : call)(module, node, scope)
  else if (parent?.type === 'MethodDefinition') method(module, parent, scope.uses.has('super'), path.at(-3) as ClassNode)
  else if (parent?.type === 'Property' && parent.method) property(module, parent, node)
  else expression(module, node, scope)
}

/** `await x` becomes `(now(x) ? slot.value : yield slot.value)`. */
function rewriteAwait({ text, runtime }: Module, start: number, end: number, path: Path): void {
  text.update(start, start + 'await'.length, `${startsStatement(start, path) ? ';' : ''}(${runtime('now')}(`)
  text.appendLeft(end, `) ? ${runtime('slot')}.value : yield ${runtime('slot')}.value)`)
}

/** A statement that begins with a parenthesis would go on with the one before, where that has no semicolon. */
export function startsStatement(start: number, path: Path): boolean {
  const at = path.findLastIndex(({ type }) => type === 'ExpressionStatement')
  const list = path[at - 1]?.type
  return path[at]?.start === start && (list === 'BlockStatement' || list === 'SwitchCase' || list === 'StaticBlock' || list === 'Program')
}

function declaration(module: Module, { start, id, params }: FunctionNode): void {
  const task = module.names.fresh(taskName(id?.name ?? 'default'))
  module.text.update(start, start + 'async'.length, '')
  module.text.appendLeft(parenthesis(module, id?.end ?? start), `${id ? '' : ' '}${forward(module, params, task)} function* ${task}`)
}

function method(module: Module, { start, key, value, computed, static: isStatic }: MethodDefinition, usesSuper: boolean, owner: ClassNode): void {
  const { text, names } = module
  const task = names.fresh(taskName(keyName(key, computed)?.replace('#', '')))
  const name = classOf(module, owner)
  const async = token(module, tokTypes.name, start, 'async')
  // A semicolon, since a class field may stand before it that has none.
  text.update(async, async + 'async'.length, isStatic ? '' : ';')
  const opening = parenthesis(module, value.start)
  const first = `${forward(module, value.params, `${name}.#${task}`)} `
  if (usesSuper && !isStatic) {
    text.appendLeft(opening, `${first}*${task}`)
    module.classes.get(owner)?.head.push(`static #${task} = ${module.runtime('take')}(this.prototype, '${task}');`)
  } else text.appendLeft(opening, `${first}static *#${task}`)
}

function property(module: Module, { start, key, computed }: Property, node: FunctionExpression): void {
  const { text, names } = module
  const name = keyName(key, computed)
  const proto = isProto(key, computed)
  text.update(start, start + 'async'.length, '')
  // `__proto__: …` would not define a method.
  if (proto) text.update(key.start, key.end, "['__proto__']")
  text.appendLeft(parenthesis(module, node.start), `: ${module.runtime('fn')}(function* ${names.fresh(taskName(name))}`)
  text.appendLeft(node.end, name === undefined ? ')' : `, ${JSON.stringify(name)})`)
}

function expression(module: Module, { start, end, id }: FunctionExpression, { names: inside, uses, path, node }: Scope): void {
  const { text, names } = module
  const name = id?.name ?? nameFrom(node, path.at(-1))
  const task = names.fresh(taskName(name))
  const keyword = token(module, tokTypes._function, start)
  // The function's own name is that of what is called, not of the generator.
  const itself = id && (uses.has('eval') || inside.has(id.name)) ? id.name : undefined
  text.update(start, start + 'async'.length, `${itself === undefined ? '' : `(() => { const ${itself} = `}${module.runtime('fn')}(`)
  if (id) text.update(id.start, id.end, task)
  text.appendLeft(keyword + 'function'.length, id ? '*' : `* ${task}`)
  text.appendLeft(end, `${name === undefined ? '' : `, ${JSON.stringify(name)}`})${itself === undefined ? '' : `; return ${itself} })()`}`)
}

function arrow(module: Module, node: ArrowFunctionExpression, { uses, path }: Scope): void {
  const { text, names } = module
  const { start, end, params, body } = node
  const name = nameFrom(node, path.at(-1))
  const bare = token(module, undefined, start + 'async'.length) === params[0]?.start && params[0].type === 'Identifier'
  text.update(start, start + 'async'.length, `${module.runtime('arrow')}(function* ${names.fresh(taskName(name))}${bare ? '(' : ''}`)
  if (bare) text.appendLeft((params[0] as { end: number }).end, ')')
  const sign = token(module, tokTypes.arrow, params.at(-1)?.end ?? start)
  const block = body.type === 'BlockStatement'
  text.update(sign, sign + '=>'.length, block ? '' : '{ return (')
  const self = uses.has('this') ? `, ${name === undefined ? 'undefined' : JSON.stringify(name)}, this` : name === undefined ? '' : `, ${JSON.stringify(name)}`
  text.appendLeft(end, `${block ? '' : ') }'}${self})`)
}

/** Without an `await` an arrow function can stay one, and so keep its `this`, `arguments` and `super`. */
function call(module: Module, node: ArrowFunctionExpression, { path }: Scope): void {
  const name = nameFrom(node, path.at(-1))
  module.text.update(node.start, node.start + 'async'.length, `${module.runtime('call')}(`)
  module.text.appendLeft(node.end, name === undefined ? ')' : `, ${JSON.stringify(name)})`)
}

/** The body that hands `task` on, with as many parameters as make the same `length`. */
function forward({ names, runtime }: Module, params: FunctionNode['params'], task: string): string {
  const optional = params.findIndex(({ type }) => type === 'AssignmentPattern' || type === 'RestElement')
  const list = Array.from({ length: optional < 0 ? params.length : optional }, (_, at) => names.fixed(`_${at}`))
  return `(${list.join(', ')}) { return ${runtime('run')}(${task}, this, arguments) }`
}

/** @returns the name by which methods of `owner` can call it; an anonymous one is given one, and in its first static block its old name back */
function classOf(module: Module, owner: ClassNode): string {
  let entry = module.classes.get(owner)
  if (!entry) module.classes.set(owner, (entry = owner.id ? { head: [] } : { name: module.names.fresh('Class$'), head: [] }))
  return owner.id?.name ?? entry.name ?? ''
}

function parenthesis(module: Module, from: number): number {
  return token(module, tokTypes.parenL, from)
}

/** @returns where the first token of `type` begins that does not begin before `from` */
export function token({ tokens, text }: Pick<Module, 'tokens' | 'text'>, type: TokenType | undefined, from: number, word?: string): number {
  let low = 0
  let high = tokens.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((tokens[middle]?.start ?? 0) < from) low = middle + 1
    else high = middle
  }
  for (; ; low++) {
    const { type: found, start, end } = item(tokens, low)
    if (type === undefined || (found === type && (word === undefined || text.original.slice(start, end) === word))) return start
  }
}
