import { quote, RecordingError, type Location } from './error.ts'
import type { Json, Operation, ProgramLine } from './program.ts'

/**
 * What a field of an operation may be: a count or number of pages, what is written (its lowest 32 bits), device or file 0 or 1, the place of a word in a page, flags of mremap; or
 * one of several names.
 */
export type FieldType = 'pages' | 'word' | 'device' | 'file' | 'offset' | 'flags' | readonly string[]

/** The arguments of one operation. */
interface Arguments {
  readonly types: ReadonlyMap<string, FieldType>
  /** Those that may not be left out. */
  readonly required: readonly string[]
}

const PROT = ['none', 'r', 'rw', 'w', 'rx'] as const
const KINDS = ['anon_private', 'anon_shared', 'file_private', 'file_shared'] as const
const ADVICE = [
  'DONTNEED', 'FREE', 'REMOVE', 'DONTFORK', 'DOFORK', 'WIPEONFORK', 'KEEPONFORK', 'POPULATE_READ', 'POPULATE_WRITE', 'COLD', 'HUGEPAGE', 'NOHUGEPAGE',
] as const

/** Pages of the largest window: no operation is about more. */
export const MOST_PAGES = 65536

const RANGE = { page: 'pages', n: 'pages' } as const
const DEVICE = { d: 'device', ...RANGE } as const
const WRITE = { ...RANGE, off: 'offset', val: 'word' } as const

/** The operations, and the arguments of each; those with a `?` may be left out. */
const ARGUMENTS: Readonly<Record<string, Readonly<Record<string, FieldType>>>> = {
  mmap: { ...RANGE, prot: PROT, kind: KINDS, 'file?': 'file', 'pgoff?': 'pages', 'populate?': 'pages' },
  munmap: RANGE,
  mprotect: { ...RANGE, prot: PROT },
  mremap: { page: 'pages', oldn: 'pages', newn: 'pages', flags: 'flags', 'dst?': 'pages' },
  madvise: { ...RANGE, advice: ADVICE },
  cpuw: WRITE,
  cpur: RANGE,
  fork: {},
  child_w: WRITE,
  child_r: RANGE,
  child_unmap: RANGE,
  child_exit: {},
  dread: DEVICE,
  dwrite: { ...DEVICE, val: 'word' },
  todev: DEVICE,
  tosys: DEVICE,
  snap: DEVICE,
  excl: DEVICE,
  chkexcl: DEVICE,
  dclose: { d: 'device' },
  dopen: { d: 'device' },
  ftrunc: { file: 'file', n: 'pages' },
  fpunch: { file: 'file', ...RANGE },
  fwrite: { file: 'file', page: 'pages', off: 'offset', val: 'word' },
  fread: { file: 'file', ...RANGE },
}

const OPERATIONS: ReadonlyMap<string, Arguments> = new Map(Object.entries(ARGUMENTS).map(([op, fields]) => {
  const types = new Map(Object.entries(fields).map(([field, type]) => [field.replace('?', ''), type]))
  return [op, { types, required: Object.keys(fields).filter((field) => !field.endsWith('?')) }]
}))

/** What an operation leads to: what is compared. `ev` is always there, the others where they say something. */
export const RESULT_FIELDS: ReadonlySet<string> = new Set([
  'skipped', 'ret', 'errno', 'done', 'sig', 'code', 'cpages', 'faults', 'data', 'perm', 'ev', 'pm', 'sn', 'pt', 'stale',
])
export const STATE_FIELDS: ReadonlySet<string> = new Set(['maps', 'pm', 'pt', 'snap'])

/** What scripts need not say. */
export const DEFAULTS: Readonly<Record<string, Json>> = { d: 0, off: 0, prot: 'rw', kind: 'anon_private', flags: '' }

/** @throws RecordingError for a name that is none */
export function argumentsOf(at: Location, op: string): Arguments {
  const operation = OPERATIONS.get(op)
  if (!operation) throw new RecordingError(at, 'op', `one of ${[...OPERATIONS.keys()].join(', ')}`, quote(op))
  return operation
}

/** @throws RecordingError for what cannot be performed, or compared: an unknown operation, a missing field, a value of another type */
export function checkOperation(at: Location, fields: Readonly<Record<string, Json>>, recorded: boolean): Operation {
  const { op } = fields
  if (typeof op !== 'string') throw new RecordingError(at, 'op', 'the name of an operation', found(op))
  const known = argumentsOf(at, op)
  const { types } = known
  let seen = 0
  for (const field in fields) {
    const type = types.get(field)
    if (type !== undefined) {
      checkField(at, field, fields[field], type)
      seen++
    } else if (field !== 'op' && field !== 'i' && !(recorded && RESULT_FIELDS.has(field))) throw new RecordingError(at, field, `no such field of ${op}`, found(fields[field]))
  }
  if (seen < types.size) checkRequired(at, fields, known)
  if (recorded && !Array.isArray(fields['ev'])) throw new RecordingError(at, 'ev', 'an array of events', found(fields['ev']))
  return fields as Operation
}

/** Not all arguments are there: checks those that have to be, by the operation and by others. */
function checkRequired(at: Location, fields: Readonly<Record<string, Json>>, { types, required }: Arguments): void {
  const need = (field: string): void => {
    if (fields[field] === undefined) checkField(at, field, undefined, types.get(field) ?? 'pages')
  }
  for (const field of required) need(field)
  const { kind, flags } = fields
  if (typeof kind === 'string' && kind.startsWith('file')) ['file', 'pgoff'].forEach(need)
  if (typeof flags === 'string' && flags.includes('F')) need('dst')
}

function checkField(at: Location, field: string, value: Json | undefined, type: FieldType): void {
  const expected = typeof type === 'string' ? expectedOf(type, value) : typeof value === 'string' && type.includes(value) ? undefined : `one of ${type.join(', ')}`
  if (expected !== undefined) throw new RecordingError(at, field, expected, found(value))
}

/** @returns what was expected in place of `value`, or undefined */
function expectedOf(type: FieldType & string, value: Json | undefined): string | undefined {
  if (type === 'flags') return typeof value === 'string' && /^M?F?D?$/.test(value) ? undefined : 'letters of MFD'
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) return 'a whole number'
  switch (type) {
    case 'pages':
      return value <= MOST_PAGES ? undefined : `a number up to ${MOST_PAGES}`
    case 'offset':
      return value <= 4092 && value % 4 === 0 ? undefined : 'the place of a word in a page'
    case 'word':
      return undefined
    default:
      return value <= 1 ? undefined : `${type} 0 or 1`
  }
}

/** There is one child at most, and only it does what it is asked for. @throws RecordingError */
export function checkChild(file: string, lines: readonly ProgramLine[]): void {
  let child = false
  for (const entry of lines) {
    if (entry.kind !== 'operation') continue
    const { op } = entry.operation
    const wrong = op === 'fork' ? child : op.startsWith('child_') && !child
    if (wrong) throw new RecordingError({ file, line: entry.line }, 'op', child ? 'no fork while there is a child' : 'a fork before it', quote(op))
    if (op === 'fork') child = true
    if (op === 'child_exit') child = false
  }
}

/** A foreign value for a message. */
export function found(value: Json | undefined): string {
  return value === undefined ? 'none' : quote(JSON.stringify(value))
}
