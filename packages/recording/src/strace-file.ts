import { quote, RecordingError } from './error.ts'
import { readLines } from './lines.ts'
import { parseLine, type StraceLine } from './parse.ts'

/** A line with its number; `time` counts from one moment in all lines of the file, whatever the clock. */
export interface NumberedLine extends StraceLine {
  /** Counted from 1. */
  readonly line: number
}

const DAY = 86400e6
/** What strace says on stderr can stand in the middle of a line; what follows goes on in the next. */
const NOTE = /strace: Process \d+ (?:at|de)tached$/

/** Turns the three clocks of strace into microseconds since one moment. */
class Clock {
  #last = 0
  #days = 0

  advance({ clock, time }: StraceLine): number | undefined {
    if (time === undefined) return undefined
    if (clock === 'relative') return (this.#last += time)
    if (clock === 'day' && time + this.#days < this.#last - DAY / 2) this.#days += DAY
    return (this.#last = Math.max(this.#last, time + this.#days))
  }
}

/**
 * The lines of a strace text, in batches, empty ones left out.
 *
 * @throws RecordingError for text that is no strace output (its first line is not), a line that cannot be read, a last line that is cut:
 * one without line end that does not end with a closing mark either (a file that is still written, or a copy that broke off)
 */
export async function* readStrace(path: string): AsyncGenerator<readonly NumberedLine[], void, undefined> {
  const clock = new Clock()
  let carried = ''
  let carriedFrom = 0
  let seen = false
  for await (const { first, lines, cut } of readLines(path)) {
    const batch: NumberedLine[] = []
    for (const [i, physical] of lines.entries()) {
      const note = physical.endsWith('tached') ? physical.search(NOTE) : -1
      if (note > 0) {
        carriedFrom ||= first + i
        carried += physical.slice(0, note)
        continue
      }
      const text = carried + physical
      if (text === '') continue
      const line = carriedFrom || first + i
      carried = ''
      carriedFrom = 0
      const last = cut && i === lines.length - 1
      const parsed = parse(text, { file: path, line }, seen, last)
      seen = true
      batch.push({ task: parsed.task, time: clock.advance(parsed), clock: parsed.clock, body: parsed.body, line })
    }
    yield batch
  }
  if (carried !== '') throw truncated(path, carriedFrom, carried)
  if (!seen) throw new RecordingError({ file: path, line: 1 }, 'text', 'strace output', 'an empty file')
}

function parse(text: string, at: { readonly file: string; readonly line: number }, seen: boolean, last: boolean): StraceLine {
  let parsed: StraceLine
  try {
    parsed = parseLine(text, at)
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error
    if (last && (seen || error.field !== 'line')) throw truncated(at.file, at.line, text)
    if (!seen) throw new RecordingError(at, 'text', 'strace output', quote(text))
    throw error
  }
  if (last && !/[)>?+-]$/.test(text)) throw truncated(at.file, at.line, text)
  return parsed
}

function truncated(file: string, line: number, text: string): RecordingError {
  return new RecordingError({ file, line }, 'line', 'a whole line', `a truncated one: ${quote(text)}`)
}
