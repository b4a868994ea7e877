import { isMemoryCall } from './calls.ts'
import type { CallResult } from './parse.ts'
import { readStrace, type NumberedLine } from './strace-file.ts'

const UNKNOWN: CallResult = { value: undefined, errno: undefined }

/** The results of calls that strace wrote in two lines, in order of the first ones. Typed arrays: large recordings have 100,000 of them. */
export class Returns {
  #lines = new Int32Array(64)
  #values = new Float64Array(64)
  #errnos = new Int32Array(64)
  readonly #names: string[] = []
  #size = 0

  /** A call was entered. @returns its index */
  enter(): number {
    if (this.#size === this.#lines.length) this.#grow()
    this.#values[this.#size] = NaN
    return this.#size++
  }

  /** The call at `index` returned at `line`. */
  set(index: number, line: number, { value, errno }: CallResult): void {
    this.#lines[index] = line
    this.#values[index] = value ?? NaN
    if (errno === undefined) return
    const known = this.#names.indexOf(errno)
    this.#errnos[index] = known >= 0 ? known + 1 : this.#names.push(errno)
  }

  /** The line of the result, 0 when there is none. */
  line(index: number): number {
    return this.#lines[index] ?? 0
  }

  result(index: number): CallResult {
    const value = this.#values[index] ?? NaN
    const errno = this.#names[(this.#errnos[index] ?? 0) - 1]
    return Number.isNaN(value) ? (errno === undefined ? UNKNOWN : { value: undefined, errno }) : { value, errno }
  }

  #grow(): void {
    const grow = <T extends Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    const length = this.#size * 2
    this.#lines = grow(this.#lines, new Int32Array(length))
    this.#values = grow(this.#values, new Float64Array(length))
    this.#errnos = grow(this.#errnos, new Int32Array(length))
  }
}

/** What the first pass learns of one file. */
export interface Survey {
  readonly path: string
  /** The last line number. */
  readonly lines: number
  /** By name; a call in two lines counts once. */
  readonly calls: ReadonlyMap<string, number>
  readonly returns: Returns
  /** Microseconds on the clock of the file, and which clock that is. */
  readonly firstTime: number | undefined
  readonly clock: NumberedLine['clock']
  /** No line has a task id, as in the files of `strace -ff`. */
  readonly unnumbered: boolean
  /** The task of lines without number, when the file tells (`[pid N]` only while more than one process lives). */
  readonly firstTask: number | undefined
  /** Descriptors have paths (`-y`), as far as there are any. */
  readonly named: boolean
}

/** The first pass: everything that the second has to know ahead of the line that tells it. Keeps no text. */
class Surveyor {
  readonly returns = new Returns()
  readonly calls = new Map<string, number>()
  readonly #pending = new Map<number | undefined, { readonly name: string; readonly index: number }>()
  readonly #numbered = new Set<number>()
  readonly #created = new Set<number>()
  sawUnnumbered = false
  #bare = false
  #path = false

  read({ body, task, line }: NumberedLine): void {
    if (task === undefined) this.sawUnnumbered ||= body.kind !== 'note'
    else this.#numbered.add(task)
    switch (body.kind) {
      case 'call':
        this.#count(body.name)
        this.#look(body.name, body.args, body.result)
        break
      case 'unfinished':
        this.#count(body.name)
        if (isMemoryCall(body.name)) this.#pending.set(task, { name: body.name, index: this.returns.enter() })
        break
      case 'resumed':
        this.#resume(task, body.name, line, body.result)
        break
      case 'superseded': {
        const call = this.#pending.get(body.by)
        if (call) this.#pending.set(task, call)
        this.#pending.delete(body.by)
        break
      }
      case 'exited':
      case 'killed':
        this.#pending.delete(task)
        break
    }
  }

  /** Of the tasks that have numbers the one that nobody created. */
  get firstTask(): number | undefined {
    for (const task of this.#numbered) if (!this.#created.has(task)) return task
    return undefined
  }

  get unnumbered(): boolean {
    return this.#numbered.size === 0
  }

  get named(): boolean {
    return this.#path || !this.#bare
  }

  #count(name: string): void {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1)
  }

  #look(name: string, args: readonly string[], { value, errno }: CallResult): void {
    if (errno !== undefined || value === undefined) return
    if (name === 'mmap' && args[4]?.endsWith('-1') === false) {
      if (args[4].includes('<')) this.#path = true
      else this.#bare = true
    }
    this.#creates(name, value)
  }

  #creates(name: string, value: number): void {
    if (name === 'clone' || name === 'clone3' || name === 'fork' || name === 'vfork') this.#created.add(value)
  }

  /** A task may enter a call while it has no number, and return with one, or the other way round. */
  #resume(task: number | undefined, name: string, line: number, result: CallResult): void {
    let from = task
    if (this.#pending.get(task)?.name !== name && this.sawUnnumbered) {
      from = task === undefined ? [...this.#pending].find(([, call]) => call.name === name)?.[0] : undefined
    }
    const call = this.#pending.get(from)
    if (call?.name !== name) return
    this.#pending.delete(from)
    this.returns.set(call.index, line, result)
    if (result.value !== undefined && result.errno === undefined) this.#creates(name, result.value)
  }
}

/** Reads a strace file once. @throws RecordingError */
export async function survey(path: string): Promise<Survey> {
  const surveyor = new Surveyor()
  let lines = 0
  let firstTime: number | undefined
  let clock: NumberedLine['clock']
  for await (const batch of readStrace(path)) {
    for (const line of batch) {
      surveyor.read(line)
      firstTime ??= line.time
      clock ??= line.clock
    }
    lines = batch.at(-1)?.line ?? lines
  }
  const { returns, calls, unnumbered, sawUnnumbered, firstTask, named } = surveyor
  return { path, lines, calls, returns, firstTime, clock, unnumbered, firstTask: sawUnnumbered ? firstTask : undefined, named }
}
