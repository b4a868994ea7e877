import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readCheckpoints, type Checkpoint } from './checkpoints.ts'
import { RecordingError } from './error.ts'
import { readEvents, type RecordingEvent } from './events.ts'
import { readFaults, type RecordedFault } from './faults.ts'
import { mergeByTime } from './merge.ts'
import { survey, type Survey } from './survey.ts'

/** A recording of a program, surveyed once; every method reads its file anew, as a stream of batches in order of time. */
export interface Recording {
  /** The path it was opened with. */
  readonly path: string
  /** Of all trace files. */
  readonly lines: number
  /** Calls of all kinds, by name; a call in two lines counts once. */
  readonly callsByName: ReadonlyMap<string, number>
  /** Descriptors have paths (`strace -y`); else a mapped file is just a file. */
  readonly named: boolean
  /** There are maps to start from and to compare with. */
  readonly hasCheckpoints: boolean
  /** There are recorded page faults. */
  readonly hasFaults: boolean
  /** The second pass. */
  events(): AsyncIterator<readonly RecordingEvent[]>
  checkpoints(): AsyncIterator<readonly Checkpoint[]>
  faults(): AsyncIterator<readonly RecordedFault[]>
}

interface Files {
  readonly path: string
  readonly surveys: readonly Survey[]
  readonly checkpoints?: string | undefined
  readonly faults?: string | undefined
}

class RecordingFiles implements Recording {
  readonly #files: Files
  readonly lines: number
  readonly callsByName: ReadonlyMap<string, number>
  readonly named: boolean

  constructor(files: Files) {
    this.#files = files
    this.lines = files.surveys.reduce((sum, { lines }) => sum + lines, 0)
    this.named = files.surveys.every(({ named }) => named)
    const calls = new Map<string, number>()
    for (const { calls: own } of files.surveys) for (const [name, n] of own) calls.set(name, (calls.get(name) ?? 0) + n)
    this.callsByName = calls
  }

  get path(): string {
    return this.#files.path
  }

  get hasCheckpoints(): boolean {
    return this.#files.checkpoints !== undefined
  }

  get hasFaults(): boolean {
    return this.#files.faults !== undefined
  }

  events(): AsyncIterator<readonly RecordingEvent[]> {
    const { surveys } = this.#files
    const [only] = surveys
    if (surveys.length === 1 && only) return readEvents(only, firstTask(only))
    const sources = surveys.map((file) => ({ firstTime: startTime(file), open: () => readEvents(file, firstTask(file)) }))
    return mergeByTime(sources.sort((a, b) => a.firstTime - b.firstTime))
  }

  checkpoints(): AsyncIterator<readonly Checkpoint[]> {
    const { checkpoints } = this.#files
    return checkpoints === undefined ? none() : readCheckpoints(checkpoints)
  }

  faults(): AsyncIterator<readonly RecordedFault[]> {
    const { faults } = this.#files
    return faults === undefined ? none() : readFaults(faults)
  }
}

// eslint-disable-next-line require-yield -- no batch at all
async function* none<T>(): AsyncGenerator<readonly T[], void, undefined> {
  return
}

/** The task of lines without number: what the file tells, else what its name says (`strace -ff`), else 0. */
function firstTask({ firstTask: task, unnumbered, path }: Survey): number {
  return task ?? (unnumbered ? (splitSetName(path)?.task ?? 0) : 0)
}

/** Files of one set can be put in order by a clock that all of them share, and by nothing else. */
function startTime({ path, firstTime, clock }: Survey): number {
  if (firstTime !== undefined && clock !== 'relative') return firstTime
  const found = firstTime === undefined ? 'none' : 'a relative one'
  throw new RecordingError({ file: path, line: 1 }, 'time', 'a time of the clock on every line (strace -ff -ttt)', found)
}

/** `NAME.PID`, as `strace -ff` names its files. */
function splitSetName(path: string): { readonly prefix: string; readonly task: number } | undefined {
  const m = /^(.*)\.([0-9]+)(?:\.gz)?$/s.exec(basename(path))
  return m?.[1] === undefined ? undefined : { prefix: m[1], task: Number(m[2]) }
}

/** The other files of the set that `path` is of. That of a task which slept all the time has nothing in it. */
async function setOf(path: string): Promise<string[]> {
  const prefix = splitSetName(path)?.prefix
  const folder = dirname(path)
  const names = (await readdir(folder)).filter((name) => name !== basename(path) && splitSetName(name)?.prefix === prefix)
  const files: string[] = []
  for (const name of names.sort()) if ((await stat(join(folder, name))).size > 0) files.push(join(folder, name))
  return files
}

async function openTrace(path: string): Promise<Recording> {
  const own = await survey(path)
  const others = own.unnumbered && splitSetName(path) ? await setOf(path) : []
  const surveys = [own]
  for (const other of others) surveys.push(await survey(other))
  if (surveys.length > 1) surveys.forEach(startTime)
  return new RecordingFiles({ path, surveys })
}

async function openFolder(path: string): Promise<Recording> {
  const names = new Set(await readdir(path))
  const find = (name: string): string | undefined => {
    const found = [`${name}.gz`, name].find((candidate) => names.has(candidate))
    return found && join(path, found)
  }
  const trace = find('trace.strace')
  if (trace === undefined) throw new RecordingError({ file: path, line: 0 }, 'folder', 'a file trace.strace or trace.strace.gz', 'none')
  const own = await survey(trace)
  const faults = find('faults.txt')
  if (faults !== undefined && own.clock !== 'unix') {
    throw new RecordingError({ file: trace, line: 1 }, 'time', 'a time since 1970 (strace -ttt), as faults.txt has', own.clock ?? 'none')
  }
  return new RecordingFiles({ path, surveys: [own], checkpoints: find('checkpoints.maps'), faults })
}

/**
 * Opens a recording and makes the first pass over its trace.
 * @param path a folder with `trace.strace` and perhaps `checkpoints.maps` and `faults.txt`; or a text of strace; or one file of a set that
 * `strace -ff -ttt` wrote, which stands for all of them. Each may be gzip.
 * @throws RecordingError for what is no strace output, a line that cannot be read, a truncated last line
 */
export async function openRecording(path: string | URL): Promise<Recording> {
  return openPath(typeof path === 'string' ? path : fileURLToPath(path))
}

async function openPath(path: string): Promise<Recording> {
  let folder: boolean
  try {
    folder = (await stat(path)).isDirectory()
  } catch (error) {
    const { code = 'an unknown error' } = error as NodeJS.ErrnoException
    throw new RecordingError({ file: path, line: 0 }, 'file', 'a recording', code === 'ENOENT' ? 'no such file or folder' : code, { cause: error })
  }
  return folder ? openFolder(path) : openTrace(path)
}
