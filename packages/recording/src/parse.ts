import { quote, RecordingError, type Location } from './error.ts'
import { isDigit, isWord, parseInteger, skipSpaces, splitArguments } from './scan.ts'

/** What a call returned: a value; an errno (then `value` is -1); or nothing known (`= ?`: the task ended, or the call is restarted). */
export interface CallResult {
  readonly value: number | undefined
  readonly errno: string | undefined
}

/** What a line says, without who and when. */
export type StraceBody =
  | {
      readonly kind: 'call'
      readonly name: string
      readonly args: readonly string[]
      readonly result: CallResult
      /** For execve in another thread than the leader: the leader's id, which the caller has from now on. */
      readonly leader?: number
    }
  /** The call was entered; the arguments that were known by then. Nothing follows where strace let go of the task (`<detached ...>`). */
  | { readonly kind: 'unfinished'; readonly name: string; readonly args: readonly string[] }
  /** The result of the unfinished call of the same task. */
  | { readonly kind: 'resumed'; readonly name: string; readonly result: CallResult }
  | { readonly kind: 'signal' | 'stopped' | 'killed'; readonly signal: string }
  | { readonly kind: 'exited'; readonly status: number }
  /** This task ended because `by`, of the same thread group, called execve; `by` goes on under this task's id. */
  | { readonly kind: 'superseded'; readonly by: number }
  /** strace speaking of itself, or a line of the stack of the call before (`-k`). */
  | { readonly kind: 'note'; readonly text: string }

/** One line of strace. */
export interface StraceLine {
  /** Task id, undefined when the line has none. */
  readonly task: number | undefined
  /** Microseconds: since 1970 (`unix`), since midnight (`day`), since the line before (`relative`). */
  readonly time: number | undefined
  readonly clock: 'unix' | 'day' | 'relative' | undefined
  readonly body: StraceBody
}

/** Linux: PID_MAX_LIMIT. A larger first number is a time in whole seconds. */
const PID_MAX = 4194304
/** Below this many seconds a time is relative (`-r`), above since 1970 (`-ttt`): 1973. */
const RELATIVE_MAX = 1e8

const UNFINISHED = ' <unfinished ...>'
/** strace was interrupted, or followed the task no further. */
const DETACHED = ' <detached ...>'
/** Ends the line of an execve that a thread has called with success; the result follows under the new id, after `+++ superseded`. */
const PID_CHANGED = ' <pid changed to '

/** Reads one line from left to right. */
class LineParser {
  readonly #text: string
  readonly #at: Location
  #i = 0
  task: number | undefined
  time: number | undefined
  clock: StraceLine['clock']

  constructor(text: string, at: Location) {
    this.#text = text
    this.#at = at
  }

  /** `26855 `, `[pid 26855] `, `26855<comm> `, times, `[  59] ` (-n), `[00007f..] ` (-i), in this order. */
  header(): void {
    const text = this.#text
    this.#i = skipSpaces(text, 0)
    if (text.startsWith('[pid', this.#i)) {
      this.#i = skipSpaces(text, this.#i + 4)
      this.task = this.#pid()
      if (text[this.#i] !== ']') throw this.#fail('task', '"]" after the process id', this.#i)
      this.#i = skipSpaces(text, this.#i + 1)
    } else if (this.#i === 0 && isDigit(text.charCodeAt(0)) && !this.#isTime()) { // times alone are aligned to the right
      this.task = this.#pid()
      this.#i = skipSpaces(text, this.#i)
    }
    if (isDigit(text.charCodeAt(this.#i))) this.#readTime()
    while (text[this.#i] === '[') {
      const end = text.indexOf(']', this.#i)
      if (end < 0) throw this.#fail('line', 'a strace line', 0)
      this.#i = skipSpaces(text, end + 1)
    }
  }

  body(): StraceBody {
    const text = this.#text
    if (text.startsWith('<... ', this.#i)) return this.#resumed()
    if (text.startsWith('--- ', this.#i)) return this.#signal()
    if (text.startsWith('+++ ', this.#i)) return this.#end()
    return this.#call()
  }

  #fail(field: string, expected: string, from: number): RecordingError {
    const found = from < this.#text.length ? quote(this.#text.slice(from)) : 'the end of the line'
    return new RecordingError(this.#at, field, expected, found)
  }

  #digitsEnd(from: number): number {
    while (isDigit(this.#text.charCodeAt(from))) from++
    return from
  }

  #isTime(): boolean {
    const end = this.#digitsEnd(this.#i)
    const next = this.#text[end]
    return next === ':' || next === '.' || Number(this.#text.slice(this.#i, end)) > PID_MAX
  }

  #pid(): number {
    const end = this.#digitsEnd(this.#i)
    if (end === this.#i) throw this.#fail('task', 'a process id', this.#i)
    const pid = Number(this.#text.slice(this.#i, end))
    this.#i = end
    if (this.#text[end] === '<') this.#i = this.#text.indexOf('>', end) + 1 || end
    return pid
  }

  #readTime(): void {
    const text = this.#text
    const start = this.#i
    let seconds = 0
    let colons = 0
    for (;;) {
      const end = this.#digitsEnd(this.#i)
      seconds = seconds * 60 + Number(text.slice(this.#i, end))
      this.#i = end
      if (text[end] !== ':') break
      colons++
      this.#i++
    }
    let micros = 0
    if (text[this.#i] === '.') {
      const end = this.#digitsEnd(this.#i + 1)
      micros = Number(`0${text.slice(this.#i, end)}`) * 1e6
      if (end - this.#i <= 7) micros = Math.round(micros)
      this.#i = end
    }
    if (text[this.#i] !== ' ' || (colons !== 0 && colons !== 2)) throw this.#fail('time', 'a time as of -r, -t, -tt or -ttt', start)
    this.clock = colons > 0 ? 'day' : seconds < RELATIVE_MAX ? 'relative' : 'unix'
    this.time = seconds * 1e6 + micros
    this.#i = skipSpaces(text, this.#i)
    if (text.startsWith('(+', this.#i)) this.#i = skipSpaces(text, text.indexOf(')', this.#i) + 1) // -r beside -t
  }

  #call(): StraceBody {
    const text = this.#text
    let open = this.#i
    while (isWord(text.charCodeAt(open))) open++
    if (open === this.#i || text[open] !== '(') throw this.#fail('line', 'a strace line', 0)
    const name = text.slice(this.#i, open)
    const mark = text.endsWith(UNFINISHED) ? UNFINISHED : text.endsWith(DETACHED) ? DETACHED : undefined
    if (mark !== undefined) return { kind: 'unfinished', name, args: splitArguments(text.slice(0, -mark.length), open + 1).args }
    const changed = text.endsWith(' ...>') ? text.lastIndexOf(PID_CHANGED) : -1
    if (changed > 0) {
      const leader = parseInteger(text, changed + PID_CHANGED.length, text.length - 5)
      const { args } = splitArguments(text.slice(0, changed), open + 1)
      return { kind: 'call', name, args, result: { value: 0, errno: undefined }, leader }
    }
    const { args, end, closed } = splitArguments(text, open + 1)
    if (!closed) throw this.#fail('arguments', `a ")" that ends the arguments of ${name}`, open + 1)
    const result = this.#result(end + 1)
    // `exit_group(0 <unfinished ...>) = ?`: the task ended in the call.
    return { kind: 'call', name, args: text.startsWith(UNFINISHED, end - UNFINISHED.length) ? cutUnfinished(args) : args, result }
  }

  #resumed(): StraceBody {
    const text = this.#text
    const end = text.indexOf(' resumed>', this.#i)
    if (end < 0) throw this.#fail('line', 'a strace line', 0)
    const name = text.slice(this.#i + 5, end)
    const { end: close, closed } = splitArguments(text, end + 9)
    if (!closed) throw this.#fail('arguments', `a ")" that ends the arguments of ${name}`, end + 9)
    return { kind: 'resumed', name, result: this.#result(close + 1) }
  }

  /** `= 0x7f..`, `= -1 ENOMEM (..)`, `= ?`, `= ? ERESTARTSYS (..)`, `= 3</path>`; perhaps with more behind: `(DELAYED)`, `<0.000249>`. */
  #result(from: number): CallResult {
    const text = this.#text
    const equals = skipSpaces(text, from)
    if (text[equals] !== '=' || text[equals + 1] !== ' ') throw this.#fail('result', '"= RESULT" behind the arguments', equals)
    const start = skipSpaces(text, equals + 2)
    let end = start
    while (end < text.length && text[end] !== ' ' && text[end] !== '<') end++
    const unknown = end === start + 1 && text[start] === '?'
    const value = unknown ? undefined : parseInteger(text, start, end)
    if (Number.isNaN(value)) throw this.#fail('result', 'a number or "?"', start)
    return { value, errno: unknown || value === -1 ? this.#errno(end) : undefined }
  }

  /** The name of the error behind the value; `(errno 999)` when strace knows none. */
  #errno(from: number): string | undefined {
    const text = this.#text
    const start = skipSpaces(text, from)
    if (text.startsWith('(errno ', start)) return text.slice(start + 1, text.indexOf(')', start))
    let end = start
    while (isWord(text.charCodeAt(end))) end++
    return end > start ? text.slice(start, end) : undefined
  }

  #signal(): StraceBody {
    const text = this.#text
    if (!text.endsWith(' ---')) throw this.#fail('signal', '"---" at the end', this.#i)
    const stopped = text.startsWith('--- stopped by ', this.#i)
    const start = this.#i + (stopped ? 15 : 4)
    return { kind: stopped ? 'stopped' : 'signal', signal: text.slice(start, text.indexOf(' ', start)) }
  }

  #end(): StraceBody {
    const text = this.#text.slice(this.#i)
    const [, verb, , what] = text.split(' ', 4)
    const by = text.lastIndexOf(' ', text.length - 5)
    if (text.endsWith(' +++') && what !== undefined) {
      const status = Number(what)
      if (verb === 'exited' && Number.isInteger(status)) return { kind: 'exited', status }
      if (verb === 'killed') return { kind: 'killed', signal: what }
      const task = Number(text.slice(by, -4))
      if (verb === 'superseded' && Number.isInteger(task)) return { kind: 'superseded', by: task }
    }
    throw this.#fail('line', '"exited with", "killed by" or "superseded by execve in pid"', this.#i)
  }
}

function cutUnfinished(args: readonly string[]): string[] {
  return args.map((arg, i) => (i === args.length - 1 ? arg.slice(0, arg.lastIndexOf('<')).trim() : arg)).filter((arg) => arg !== '')
}

/**
 * Reads one line, in any of the styles of strace (see the README).
 * @param text without its line end, one character a byte
 * @throws RecordingError with the field that could not be read
 */
export function parseLine(text: string, at: Location): StraceLine {
  if (text.startsWith('strace: ') || text.startsWith(' > ')) return { task: undefined, time: undefined, clock: undefined, body: { kind: 'note', text } }
  const parser = new LineParser(text, at)
  parser.header()
  const body = parser.body()
  return { task: parser.task, time: parser.time, clock: parser.clock, body }
}
