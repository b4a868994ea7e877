import type { AnonymousClassDeclaration, AnyNode, ArrowFunctionExpression, AwaitExpression, ClassDeclaration, ClassExpression, FunctionDeclaration, FunctionExpression, Node } from 'acorn'

/** What encloses a node, from the outside in; the last is its parent. */
export type Path = readonly AnyNode[]

export type FunctionNode = ArrowFunctionExpression | FunctionDeclaration | FunctionExpression
export type ClassNode = AnonymousClassDeclaration | ClassDeclaration | ClassExpression

/** What an arrow function takes from the function around it. */
export type Lexical = 'this' | 'arguments' | 'super' | 'new.target' | 'eval'

/** A stretch of code with its own `this` and `await`: a function, the initialiser of a class field, a static block, the module. */
export interface Scope {
  readonly node: AnyNode
  readonly path: Path
  readonly outer: Scope | undefined
  /** In the order in which they end. */
  readonly awaits: { readonly node: AwaitExpression; readonly path: Path }[]
  /** Its own and its arrow functions'. */
  readonly uses: Set<Lexical>
  /** All identifiers in it, also those of functions in it. */
  readonly names: Set<string>
  /** What no generator can do, and where it stands first. */
  native: { readonly what: string; readonly start: number } | undefined
}

/** Told when a function, a class or the module has been left: all that it contains has been told before. */
export interface Visitor {
  function(scope: Scope & { readonly node: FunctionNode }): void
  class(node: ClassNode, path: Path): void
}

export function isFunction(node: Node): node is FunctionNode {
  return node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
}

function isClass(node: Node): node is ClassNode {
  return node.type === 'ClassDeclaration' || node.type === 'ClassExpression'
}

/** Walks a module from the inside out. @returns the module's own scope */
export function walk(program: AnyNode, visitor: Visitor): Scope {
  const path: AnyNode[] = []
  const module = open(program, undefined)
  let scope = module

  function open(node: AnyNode, outer: Scope | undefined): Scope {
    return { node, path: [...path], outer, awaits: [], uses: new Set(), names: new Set(), native: undefined }
  }

  function close(): void {
    const { outer, node, uses, names } = scope
    if (!outer) return
    if (node.type === 'ArrowFunctionExpression') for (const use of uses) outer.uses.add(use)
    else if (uses.has('eval')) outer.uses.add('eval')
    for (const name of names) outer.names.add(name)
    scope = outer
  }

  function visit(node: AnyNode): void {
    const parent = path.at(-1)
    const field = parent?.type === 'PropertyDefinition' && parent.value === node
    const own = isFunction(node) || node.type === 'StaticBlock'
    if (field) scope = open(parent, scope)
    if (own) scope = open(node, scope)
    look(node, parent, scope)
    path.push(node)
    for (const child of children(node)) visit(child)
    path.pop()
    if (node.type === 'AwaitExpression') scope.awaits.push({ node, path: [...path] })
    if (isFunction(node)) visitor.function(scope as Scope & { node: FunctionNode })
    if (isClass(node)) visitor.class(node, path)
    if (own) close()
    if (field) close()
  }

  visit(program)
  return module
}

function look(node: AnyNode, parent: AnyNode | undefined, scope: Scope): void {
  if (node.type === 'ThisExpression') scope.uses.add('this')
  else if (node.type === 'Super') scope.uses.add('super')
  else if (node.type === 'MetaProperty' && node.meta.name === 'new') scope.uses.add('new.target')
  else if (node.type === 'PrivateIdentifier') scope.names.add(node.name)
  else if (node.type === 'Identifier') {
    scope.names.add(node.name)
    if (node.name === 'arguments' && !isKey(node, parent)) scope.uses.add('arguments')
    if (node.name === 'eval' && parent?.type === 'CallExpression' && parent.callee === node) scope.uses.add('eval')
  } else if (node.type === 'ForOfStatement' && node.await) scope.native ??= { what: 'for await', start: node.start }
  else if (node.type === 'VariableDeclaration' && node.kind === 'await using') scope.native ??= { what: 'await using', start: node.start }
}

function isKey(node: AnyNode, parent: AnyNode | undefined): boolean {
  if (parent?.type === 'MemberExpression') return parent.property === node && !parent.computed
  if (parent?.type === 'Property' || parent?.type === 'MethodDefinition' || parent?.type === 'PropertyDefinition') return parent.key === node && !parent.computed
  return false
}

function children(node: AnyNode): AnyNode[] {
  const found: AnyNode[] = []
  for (const key in node) {
    const value: unknown = (node as unknown as Record<string, unknown>)[key]
    if (Array.isArray(value)) for (const each of value as unknown[]) addNode(found, each)
    else addNode(found, value)
  }
  return found
}

function addNode(list: AnyNode[], value: unknown): void {
  if (typeof value === 'object' && value !== null && typeof (value as Partial<Node>).type === 'string') list.push(value as AnyNode)
}
