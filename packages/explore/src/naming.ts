import type { AnyNode, Expression, PrivateIdentifier } from 'acorn'

/** The name that an anonymous function or class takes from where it is written, as far as it is known before the program runs. */
export function nameFrom(node: AnyNode, parent: AnyNode | undefined): string | undefined {
  switch (parent?.type) {
    case 'VariableDeclarator':
      return parent.init === node && parent.id.type === 'Identifier' ? parent.id.name : undefined
    case 'AssignmentExpression': {
      const { left, operator } = parent
      const names = parent.right === node && ['=', '&&=', '||=', '??='].includes(operator) && left.start === parent.start
      return names && left.type === 'Identifier' ? left.name : undefined
    }
    case 'AssignmentPattern':
      return parent.right === node && parent.left.type === 'Identifier' ? parent.left.name : undefined
    case 'Property':
      if (parent.value !== node || parent.kind !== 'init' || (isProto(parent.key, parent.computed) && !parent.method)) return undefined
      return keyName(parent.key, parent.computed)
    case 'PropertyDefinition':
      return parent.value === node ? keyName(parent.key, parent.computed) : undefined
    case 'ExportDefaultDeclaration':
      return 'default'
    default:
      return undefined
  }
}

/** @returns the name of a method, or undefined when only the running program knows it */
export function keyName(key: Expression | PrivateIdentifier, computed: boolean): string | undefined {
  if (key.type === 'PrivateIdentifier') return `#${key.name}`
  if (key.type === 'Literal') return String(key.value)
  return key.type === 'Identifier' && !computed ? key.name : undefined
}

/** `__proto__: value` sets the prototype, and defines nothing. */
export function isProto(key: Expression | PrivateIdentifier, computed: boolean): boolean {
  return !computed && keyName(key, false) === '__proto__'
}
