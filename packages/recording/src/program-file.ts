import { quote, RecordingError, type Location } from './error.ts'
import { readAllLines } from './lines.ts'
import { checkChild, checkOperation, found, MOST_PAGES, STATE_FIELDS } from './program-operations.ts'
import type { Json, Program, ProgramHeader, ProgramLine } from './program.ts'
import { parseScript } from './program-script.ts'

type Fields = Readonly<Record<string, Json>>

/**
 * Reads a recorded program (JSON lines, plain or gzip), or a script (`.txt`): one operation a line, as `cpuw page=0 n=8 val=10`.
 * @throws RecordingError with file, line and field
 */
export async function readProgram(file: string): Promise<Program> {
  const texts = readAllLines(file)
  return /\.txt(\.gz)?$/.test(file) ? parseScript(file, texts) : parseRecording(file, texts)
}

function parseRecording(file: string, texts: readonly string[]): Program {
  const first = texts[0]
  if (first === undefined) throw new RecordingError({ file, line: 0 }, 'header', 'a line with a header', 'an empty file')
  const header = parseHeader({ file, line: 1 }, parseJson({ file, line: 1 }, first))
  const lines = texts.slice(1).map((text, i) => parseLine({ file, line: i + 2 }, text, header.pages))
  checkWhole(file, lines)
  checkChild(file, lines)
  return { file, header, lines, recorded: true }
}

/** Operations are numbered, and the final values come last. @throws RecordingError where a line is missing */
function checkWhole(file: string, lines: readonly ProgramLine[]): void {
  let next = 0
  for (const entry of lines) {
    if (entry.kind !== 'operation') continue
    const { i } = entry.operation
    if (i !== next) throw new RecordingError({ file, line: entry.line }, 'i', `operation ${next}`, found(i))
    next++
  }
  const last = lines.findIndex(({ kind }) => kind === 'final')
  if (last !== lines.length - 1 || last < 0) throw new RecordingError({ file, line: lines.length + 1 }, 'final', 'the final values in the last line, and only there', 'another line')
}

function parseJson(at: Location, text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RecordingError(at, 'line', 'a JSON object', quote(text), { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new RecordingError(at, 'line', 'a JSON object', quote(text))
}

function parseHeader(at: Location, fields: Fields): ProgramHeader {
  const { header, name, base, pages, thp, files } = fields
  if (header !== 1) throw new RecordingError(at, 'header', 'the header of a recorded program, of version 1', found(header))
  if (typeof name !== 'string') throw new RecordingError(at, 'name', 'a string', found(name))
  const start = typeof base === 'string' && /^0x[0-9a-f]{1,12}$/.test(base) ? Number(base) : NaN
  if (!(start > 0 && start % 4096 === 0 && start < 2 ** 46)) throw new RecordingError(at, 'base', 'a page aligned address like "0x200000000"', found(base))
  if (!(Number.isInteger(pages) && (pages as number) > 0 && (pages as number) <= MOST_PAGES)) throw new RecordingError(at, 'pages', `1 to ${MOST_PAGES} pages`, found(pages))
  if (thp !== 'never' && thp !== 'always') throw new RecordingError(at, 'thp', '"never" or "always"', found(thp))
  if (!Array.isArray(files) || files.length !== 2 || !files.every(isFile)) throw new RecordingError(at, 'files', `two files with n and filled, of at most ${MOST_PAGES} pages`, found(files))
  return { name, base: start, pages: pages as number, thp, files: files }
}

function isFile(file: Json): file is { readonly n: number; readonly filled: number } {
  const { n, filled } = (file ?? {}) as Fields
  return Number.isInteger(n) && Number.isInteger(filled) && (filled as number) >= 0 && (filled as number) <= (n as number) && (n as number) <= MOST_PAGES
}

function parseLine(at: Location, text: string, pages: number): ProgramLine {
  const fields = parseJson(at, text)
  const { line } = at
  if ('op' in fields) return { line, kind: 'operation', operation: checkOperation(at, fields, true) }
  if ('state' in fields) {
    for (const field of STATE_FIELDS) if (fields[field] === undefined) throw new RecordingError(at, field, 'a value', 'none')
    return { line, kind: 'state', state: fields }
  }
  if (!('final' in fields)) throw new RecordingError(at, 'op', 'an operation, a state or the final values', quote(text))
  const { final } = fields
  if (!Array.isArray(final) || final.length !== pages) throw new RecordingError(at, 'final', `the bytes of ${pages} pages`, found(final))
  return { line, kind: 'final', final: final as readonly Json[] }
}
