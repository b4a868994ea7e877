import { quote, RecordingError, type Location } from './error.ts'
import type { Json, Operation, ProgramLine } from './program.ts'

interface Field {
  readonly field: string
  readonly type: FieldType
  readonly optional: boolean
}

/** What a field of an operation may be. */
export type FieldType = 'number' | 'string' | readonly string[]

const PROT = ['none', 'r', 'rw', 'w', 'rx'] as const
const KINDS = ['anon_private', 'anon_shared', 'file_private', 'file_shared'] as const
const ADVICE = [
  'DONTNEED', 'FREE', 'REMOVE', 'DONTFORK', 'DOFORK', 'WIPEONFORK', 'KEEPONFORK', 'POPULATE_READ', 'POPULATE_WRITE', 'COLD', 'HUGEPAGE', 'NOHUGEPAGE',
] as const

/** Pages of the largest window: no operation is about more. */
export const MOST_PAGES = 65536

const RANGE = { page: 'number', n: 'number' } as const
const DEVICE = { d: 'number', ...RANGE } as const
const WRITE = { ...RANGE, off: 'number', val: 'number' } as const

/** The operations, and the arguments of each; those with a `?` may be left out. */
const ARGUMENTS: Readonly<Record<string, Readonly<Record<string, FieldType>>>> = {
  mmap: { ...RANGE, prot: PROT, kind: KINDS, 'file?': 'number', 'pgoff?': 'number', 'populate?': 'number' },
  munmap: RANGE,
  mprotect: { ...RANGE, prot: PROT },
  mremap: { page: 'number', oldn: 'number', newn: 'number', flags: 'string', 'dst?': 'number' },
  madvise: { ...RANGE, advice: ADVICE },
  cpuw: WRITE,
  cpur: RANGE,
  fork: {},
  child_w: WRITE,
  child_r: RANGE,
  child_unmap: RANGE,
  child_exit: {},
  dread: DEVICE,
  dwrite: { ...DEVICE, val: 'number' },
  todev: DEVICE,
  tosys: DEVICE,
  snap: DEVICE,
  excl: DEVICE,
  chkexcl: DEVICE,
  dclose: { d: 'number' },
  dopen: { d: 'number' },
  ftrunc: { file: 'number', n: 'number' },
  fpunch: { file: 'number', ...RANGE },
  fwrite: { file: 'number', page: 'number', off: 'number', val: 'number' },
  fread: { file: 'number', ...RANGE },
}

/** The same, by operation and field. */
const FIELDS: ReadonlyMap<string, ReadonlyMap<string, Field>> = new Map(Object.entries(ARGUMENTS).map(([op, types]) => {
  const fields = Object.entries(types).map(([name, type]): Field => ({ field: name.replace('?', ''), type, optional: name.endsWith('?') }))
  return [op, new Map(fields.map((field) => [field.field, field]))]
}))

/** What an operation leads to: what is compared. `ev` is always there, the others where they say something. */
export const RESULT_FIELDS: ReadonlySet<string> = new Set([
  'skipped', 'ret', 'errno', 'done', 'sig', 'code', 'cpages', 'faults', 'data', 'perm', 'ev', 'pm', 'sn', 'pt', 'stale',
])
export const STATE_FIELDS: ReadonlySet<string> = new Set(['maps', 'pm', 'pt', 'snap'])

/** What scripts need not say. */
export const DEFAULTS: Readonly<Record<string, Json>> = { d: 0, off: 0, prot: 'rw', kind: 'anon_private', flags: '' }

/** The types of the arguments of an operation. @throws RecordingError for a name that is none */
export function argumentsOf(at: Location, op: string): Readonly<Record<string, FieldType>> {
  const found = Object.hasOwn(ARGUMENTS, op) ? ARGUMENTS[op] : undefined
  if (!found) throw new RecordingError(at, 'op', `one of ${Object.keys(ARGUMENTS).join(', ')}`, quote(op))
  return found
}

/** @throws RecordingError for what cannot be performed, or compared: an unknown operation, a missing field, a value of another type */
export function checkOperation(at: Location, fields: Readonly<Record<string, Json>>, recorded: boolean): Operation {
  const { op } = fields
  if (typeof op !== 'string') throw new RecordingError(at, 'op', 'the name of an operation', found(op))
  argumentsOf(at, op)
  const known = FIELDS.get(op)
  for (const { field, type, optional } of known?.values() ?? []) {
    const value = fields[field]
    if (value !== undefined || !optional) checkField(at, field, value, type)
  }
  if (recorded && !Array.isArray(fields['ev'])) throw new RecordingError(at, 'ev', 'an array of events', found(fields['ev']))
  for (const field in fields) {
    if (known?.has(field) || field === 'op' || field === 'i' || (recorded && RESULT_FIELDS.has(field))) continue
    throw new RecordingError(at, field, `no such field of ${op}`, found(fields[field]))
  }
  checkReferences(at, fields)
  return fields as Operation
}

function checkField(at: Location, field: string, value: Json | undefined, type: FieldType): void {
  if (type === 'number') {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw new RecordingError(at, field, 'a whole number', found(value))
    if (field !== 'val' && (value as number) > MOST_PAGES) throw new RecordingError(at, field, `a number up to ${MOST_PAGES}`, found(value))
  } else if (type === 'string') {
    if (typeof value !== 'string') throw new RecordingError(at, field, 'a string', found(value))
  } else if (typeof value !== 'string' || !type.includes(value)) throw new RecordingError(at, field, `one of ${type.join(', ')}`, found(value))
}

function checkReferences(at: Location, { op, kind, d, file, pgoff, flags, dst, off }: Readonly<Record<string, Json>>): void {
  if (d !== undefined && d !== 0 && d !== 1) throw new RecordingError(at, 'd', 'device 0 or 1', found(d))
  if (file !== undefined && file !== 0 && file !== 1) throw new RecordingError(at, 'file', 'file 0 or 1', found(file))
  if (typeof kind === 'string' && kind.startsWith('file')) {
    checkField(at, 'file', file, 'number')
    checkField(at, 'pgoff', pgoff, 'number')
  }
  if (op === 'mremap') {
    if (!/^M?F?D?$/.test(flags as string)) throw new RecordingError(at, 'flags', 'letters of MFD', found(flags))
    if ((flags as string).includes('F')) checkField(at, 'dst', dst, 'number')
  }
  if (off !== undefined && ((off as number) % 4 !== 0 || (off as number) > 4092)) throw new RecordingError(at, 'off', 'the place of a word in a page', found(off))
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
