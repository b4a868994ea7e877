import { quote, RecordingError } from './error.ts'
import { readLines } from './lines.ts'

/** A page fault that the kernel handled for a task. */
export interface RecordedFault {
  readonly task: number
  /** Microseconds since 1970, on the clock of the trace. */
  readonly time: number
  /** The byte that was accessed. */
  readonly address: number
  /** Where the program was; 0 in the kernel when it is not known. */
  readonly ip: number
  readonly access: 'read' | 'write' | 'execute'
  /** Who accessed: the program, or the kernel on its behalf (`copy_to_user()`, execve). */
  readonly mode: 'user' | 'kernel'
  /** No page was there, or it was there and forbade the access (copy-on-write). */
  readonly cause: 'missing' | 'protection'
}

const LINE = /^([0-9]+) ([0-9]+)\.([0-9]{6}) ([0-9a-f]+) ([0-9a-f]+) ([rwx])([uk])([mp])$/
const ACCESS = { r: 'read', w: 'write', x: 'execute' } as const

/** The lines of `faults.txt`, in batches, in order of time. @throws RecordingError */
export async function* readFaults(path: string): AsyncGenerator<readonly RecordedFault[], void, undefined> {
  for await (const { first, lines, cut } of readLines(path)) {
    const batch: RecordedFault[] = []
    for (const [i, text] of lines.entries()) {
      if (text === '' || text.startsWith('#')) continue
      const at = { file: path, line: first + i }
      const m = LINE.exec(text)
      if (!m || cut) throw new RecordingError(at, 'line', '"TID SECONDS.MICROS ADDR IP AMW"', quote(text))
      const [, task, seconds, micros, address = '', ip = '', access = 'r', mode, cause] = m
      batch.push({
        task: Number(task),
        time: Number(seconds) * 1e6 + Number(micros),
        address: parseInt(address, 16),
        ip: parseInt(ip, 16),
        access: ACCESS[access as keyof typeof ACCESS],
        mode: mode === 'u' ? 'user' : 'kernel',
        cause: cause === 'm' ? 'missing' : 'protection',
      })
    }
    if (batch.length > 0) yield batch
  }
}
