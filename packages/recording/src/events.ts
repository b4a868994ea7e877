import { decodeCall, isMemoryCall, type MemoryCall } from './calls.ts'
import type { CallResult } from './parse.ts'
import { readStrace, type NumberedLine } from './strace-file.ts'
import type { Survey } from './survey.ts'

interface EventAt {
  /** The file, as it was opened, and the line in it. */
  readonly file: string
  readonly line: number
  readonly task: number
  /** Microseconds, when the recording has times. */
  readonly time: number | undefined
}

/**
 * A call with an effect on address spaces was entered. When its line is split, `returnsAt` is the line of its result, known ahead; 0 when
 * there is none. Else `returnsAt` is `line`, and the call is over.
 */
export interface CallEvent extends EventAt {
  readonly kind: 'call'
  readonly call: MemoryCall
  /** The error that it ended with after doing a part of its work. */
  readonly errno: string | undefined
  readonly returnsAt: number
}

/** A call whose line was split has returned; after execve in a thread the task is the leader's. */
export interface ReturnEvent extends EventAt {
  readonly kind: 'return'
  readonly entry: CallEvent
}

export interface ExitEvent extends EventAt {
  readonly kind: 'exit'
}

/** `task` ended because thread `by` of its process called execve; `by` is called `task` from here on. */
export interface SupersededEvent extends EventAt {
  readonly kind: 'superseded'
  readonly by: number
}

/** Anything else: a signal, a stop, a call without effect. It tells the time. */
export interface OtherEvent extends EventAt {
  readonly kind: 'other'
}

/** What the second pass tells, one event a line. */
export type RecordingEvent = CallEvent | ReturnEvent | ExitEvent | SupersededEvent | OtherEvent

/** Which task a line without number is of: strace leaves the number out while one process lives. */
class LiveTasks {
  readonly #first: number
  readonly #live: Set<number>

  constructor(first: number) {
    this.#first = first
    this.#live = new Set([first])
  }

  resolve(task: number | undefined): number {
    if (task !== undefined) return task
    const [only] = this.#live
    return this.#live.size === 1 && only !== undefined ? only : this.#first
  }

  created(task: number): void {
    this.#live.add(task)
  }

  ended(task: number): void {
    this.#live.delete(task)
  }
}

/** The second pass over one file. */
class EventReader {
  readonly #survey: Survey
  readonly #live: LiveTasks
  readonly #pending = new Map<number, CallEvent>()
  /** How many split calls there were: the index into the returns of the first pass. */
  #entered = 0

  constructor(survey: Survey, first: number) {
    this.#survey = survey
    this.#live = new LiveTasks(first)
  }

  read(line: NumberedLine): RecordingEvent {
    const { body } = line
    const task = this.#live.resolve(line.task)
    const at = { file: this.#survey.path, line: line.line, task, time: line.time }
    switch (body.kind) {
      case 'call':
        if (body.leader !== undefined) this.#live.ended(task)
        return this.#call(at, body.name, body.args, body.result, line.line) ?? { kind: 'other', ...at }
      case 'unfinished': {
        if (!isMemoryCall(body.name)) return { kind: 'other', ...at }
        const index = this.#entered++
        const { returns } = this.#survey
        const event = this.#call(at, body.name, body.args, returns.result(index), returns.line(index))
        if (event) this.#pending.set(task, event)
        return event ?? { kind: 'other', ...at }
      }
      case 'resumed':
        return this.#resumed(at) ?? { kind: 'other', ...at }
      case 'superseded':
        this.#move(body.by, task)
        this.#live.ended(body.by)
        return { kind: 'superseded', ...at, by: body.by }
      case 'exited':
      case 'killed':
        this.#live.ended(task)
        this.#pending.delete(task)
        return { kind: 'exit', ...at }
      default:
        return { kind: 'other', ...at }
    }
  }

  #call(at: EventAt, name: string, args: readonly string[], result: CallResult, returnsAt: number): CallEvent | undefined {
    const call = decodeCall(name, args, result, at)
    if (!call) return undefined
    if (call.name === 'clone') this.#live.created(call.result)
    return { kind: 'call', ...at, call, errno: result.errno, returnsAt }
  }

  #resumed(at: EventAt): ReturnEvent | undefined {
    const entry = this.#pending.get(at.task)
    if (entry?.returnsAt !== at.line) return undefined
    this.#pending.delete(at.task)
    return { kind: 'return', ...at, entry }
  }

  #move(from: number, to: number): void {
    const entry = this.#pending.get(from)
    this.#pending.delete(from)
    if (entry) this.#pending.set(to, entry)
  }
}

/**
 * The second pass: events of one file in order of its lines, in batches.
 * @param first the task of lines that have no number
 */
export async function* readEvents(survey: Survey, first: number): AsyncGenerator<readonly RecordingEvent[], void, undefined> {
  const reader = new EventReader(survey, first)
  for await (const lines of readStrace(survey.path)) {
    yield lines.map((line) => reader.read(line))
  }
}
