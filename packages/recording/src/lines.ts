import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip, gunzipSync } from 'node:zlib'
import { quote, RecordingError } from './error.ts'

/** Some lines of a file that follow each other, without their line ends; one character a byte (latin1). */
export interface LineBatch {
  /** Number of the first of them, counted from 1. */
  readonly first: number
  readonly lines: readonly string[]
  /** The file ends within the last of them: it has no line end. */
  readonly cut: boolean
}

const NEWLINE = 0x0a
/** Bytes. A longer line is no text. */
const LONGEST_LINE = 4 << 20
/** Bytes. */
const BLOCK = 64 << 10

/**
 * The lines of a file, plain or gzip (known by its first bytes), in batches of those that end in the next 64 KiB of its text: memory is
 * bounded by that and the longest line. The batches are the same in each run, whoever is slow, and so is what a replay's tasks do at the
 * end of one.
 * @throws RecordingError when the file cannot be read, is a cut gzip file, or has a line of more than 4 MiB
 */
export async function* readLines(path: string): AsyncGenerator<LineBatch, void, undefined> {
  let first = 1
  let rest: Buffer[] = []
  let length = 0
  try {
    for await (const block of blocks(await openBytes(path))) {
      const end = block.lastIndexOf(NEWLINE)
      if (end >= 0) {
        const lines = splitLines(Buffer.concat([...rest, block.subarray(0, end)]).toString('latin1'))
        yield { first, lines, cut: false }
        first += lines.length
        rest = []
        length = 0
      }
      rest.push(block.subarray(end + 1))
      length += block.length - end - 1
      if (length > LONGEST_LINE) throw new RecordingError({ file: path, line: first }, 'line', 'lines of less than 4 MiB', 'a longer one')
    }
  } catch (error) {
    throw readError(path, error)
  }
  if (length > 0) yield { first, lines: [Buffer.concat(rest).toString('latin1')], cut: true }
}

/**
 * All lines of a file that is read at once: a small one. Synchronously, because the thread pool costs more than ten times the time that such a file takes.
 * @throws RecordingError when the file cannot be read, or is a cut or damaged gzip file
 */
export function readAllLines(path: string): string[] {
  try {
    const bytes = readFileSync(path)
    const text = (isGzip(bytes) ? gunzipSync(bytes) : bytes).toString('latin1')
    const lines = splitLines(text)
    if (lines[lines.length - 1] === '') lines.pop()
    return lines
  } catch (error) {
    throw readError(path, error)
  }
}

/** A stream gives what it has at the moment, in chunks of any size: here they are cut anew, all of `BLOCK` bytes but the last. */
async function* blocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let parts: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let end = BLOCK - length; end <= chunk.length; end += BLOCK) {
      yield Buffer.concat([...parts, chunk.subarray(from, end)])
      parts = []
      length = 0
      from = end
    }
    parts.push(chunk.subarray(from))
    length += chunk.length - from
  }
  if (length > 0) yield Buffer.concat(parts)
}

function isGzip(bytes: Buffer): boolean {
  return bytes.length >= 2 && bytes.readUInt16BE() === 0x1f8b
}

function splitLines(text: string): string[] {
  const lines = text.split('\n')
  return text.includes('\r') ? lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : lines
}

async function openBytes(path: string): Promise<Readable> {
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    const bytes = handle.createReadStream({ start: 0 })
    if (!isGzip(buffer.subarray(0, bytesRead))) return bytes
    // pipeline() closes the file when either side fails; the reader gets the error from the gunzip stream itself.
    return pipeline(bytes, createGunzip(), () => undefined)
  } catch (error) {
    await handle.close()
    throw error
  }
}

function readError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code
  if (code === undefined || code === 'ERECORDING') return error
  const at = { file: path, line: 0 }
  if (code === 'Z_BUF_ERROR') return new RecordingError(at, 'file', 'a whole gzip file', 'one that is cut short', { cause: error })
  if (code.startsWith('Z_')) return new RecordingError(at, 'file', 'a gzip file', `a damaged one (${code})`, { cause: error })
  return new RecordingError(at, 'file', 'a readable file', quote(code), { cause: error })
}
