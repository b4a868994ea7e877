import type { Json, ProgramLine, ProgramMismatch, Results } from '@mmu-notifier/recording'
import pc from 'picocolors'

/** Arguments of an operation, as a script has them: what comes after them in a recording is what is compared. */
const ARGUMENTS: readonly string[] = [
  'd', 'file', 'page', 'n', 'oldn', 'newn', 'flags', 'dst', 'prot', 'kind', 'pgoff', 'populate', 'advice', 'off', 'val',
]

/** A line of a script with what it led to, in the fields of a recording: `{ line, op, …arguments, …results }`, or `{ line, state: 1, …results }`. */
export type ScriptLine = Readonly<Record<string, Json>>

export function scriptLine(line: ProgramLine, actual: Results): ScriptLine {
  return { line: line.line, ...(line.kind === 'operation' ? line.operation : { [line.kind]: 1 }), ...actual }
}

/** An operation and what it led to, in one line: `mmap page=0 n=8 … -> ret=0 ev=[…]`. */
export function showLine(line: ProgramLine, actual: Results): string {
  const results = Object.entries(actual).map(([field, value]) => `${field}=${text(value)}`)
  return `${describe(line)} -> ${results.join(' ')}`
}

/** Where it is, and both values. @param at the line of the mismatch */
export function showMismatch({ file, line, field, expected, actual }: ProgramMismatch, at: ProgramLine | undefined): string {
  return [
    pc.bold(`${file}:${line}: ${field}: ${at ? describe(at) : ''}`),
    `  ${pc.green('kernel')} ${text(expected)}`,
    `  ${pc.red('model ')} ${text(actual)}`,
  ].join('\n')
}

function describe(line: ProgramLine): string {
  if (line.kind !== 'operation') return line.kind
  const { op } = line.operation
  const fields = ARGUMENTS.flatMap((field) => {
    const value = line.operation[field]
    return value === undefined ? [] : [`${field}=${text(value)}`]
  })
  return [op, ...fields].join(' ')
}

function text(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
