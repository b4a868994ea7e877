import { quote, RecordingError, type Location } from './error.ts'
import { argumentsOf, checkChild, checkOperation, DEFAULTS, MOST_PAGES } from './program-operations.ts'
import type { Json, Program, ProgramHeader, ProgramLine } from './program.ts'

/** What a script does not say is as in most recordings. */
const HEADER: Omit<ProgramHeader, 'name'> = { base: 0x200000000, pages: 128, thp: 'never', files: [{ n: 64, filled: 32 }, { n: 48, filled: 0 }] }

/** One operation a line, `#` begins a comment; `state` asks for the whole state, `thp always` for transparent huge pages. The window is as large as the operations need. */
export function parseScript(file: string, texts: readonly string[]): Program {
  const lines: ProgramLine[] = []
  let { pages, thp } = HEADER
  texts.forEach((text, i) => {
    const at = { file, line: i + 1 }
    const [op, ...words] = text.replace(/#.*/, '').trim().split(/\s+/)
    if (!op) return
    if (op === 'state' && words.length === 0) {
      lines.push({ line: at.line, kind: 'state', state: {} })
      return
    }
    if (op === 'thp') {
      thp = parseThp(at, words)
      return
    }
    const operation = checkOperation(at, parseArguments(at, op, words), false)
    lines.push({ line: at.line, kind: 'operation', operation })
    pages = Math.max(pages, reach(operation))
  })
  checkChild(file, lines)
  return { file, header: { ...HEADER, thp, name: file, pages: Math.min(2 ** Math.ceil(Math.log2(pages)), MOST_PAGES) }, lines, recorded: false }
}

function parseThp(at: Location, words: readonly string[]): ProgramHeader['thp'] {
  const [setting] = words
  if (words.length === 1 && (setting === 'always' || setting === 'never')) return setting
  throw new RecordingError(at, 'thp', 'always or never', words.length === 0 ? 'none' : quote(words.join(' ')))
}

function parseArguments(at: Location, op: string, words: readonly string[]): Readonly<Record<string, Json>> {
  const fields: Record<string, Json> = { op }
  const { types } = argumentsOf(at, op)
  for (const name of types.keys()) if (name in DEFAULTS) fields[name] = DEFAULTS[name] ?? null
  const given = new Set<string>()
  for (const word of words) {
    const [, field, value] = /^([a-z]+)=(.*)$/.exec(word) ?? []
    if (field === undefined || value === undefined) throw new RecordingError(at, 'argument', 'field=value', quote(word))
    if (given.has(field)) throw new RecordingError(at, field, 'one value', quote(word))
    given.add(field)
    fields[field] = /^(\d+|0x[0-9a-f]+)$/.test(value) ? Number(value) : value
  }
  const { kind } = fields
  if (typeof kind === 'string' && kind.startsWith('file')) return { file: 0, pgoff: 0, ...fields }
  return fields
}

/** The end of the pages of the window that an operation is about. */
function reach({ op, page, n, oldn, newn, dst }: Readonly<Record<string, Json>>): number {
  if (op === 'fread' || op === 'fwrite' || op === 'fpunch') return 0
  const number = (value: Json | undefined): number => (typeof value === 'number' ? value : 0)
  return Math.max(number(page) + Math.max(number(n), number(oldn), number(newn)), number(dst) + number(newn))
}
