import { ADDRESS_END } from './arguments.ts'
import { quote, RecordingError, type Location } from './error.ts'
import { readLines } from './lines.ts'
import { isUserArea, parseMapsLine, type MapsEntry } from './maps.ts'

const KINDS = ['exec', 'attach', 'stop', 'exit'] as const

/**
 * `exec`: the map right after execve, nothing run yet. `attach`: the map before the recording began. `stop`: the process was stopped.
 * `exit`: at the entry of exit_group.
 */
export type CheckpointKind = (typeof KINDS)[number]

/** The map of one process at one moment, as the kernel showed it. */
export interface Checkpoint {
  readonly number: number
  /** The moment: after this many lines of the trace. */
  readonly line: number
  /** Process id: the thread group leader's. */
  readonly process: number
  readonly kind: CheckpointKind
  /** Tasks that share the map already (`attach`); else empty. */
  readonly tasks: readonly number[]
  /** Ascending, without `[vsyscall]`. */
  readonly map: readonly MapsEntry[]
}

type Header = Omit<Checkpoint, 'map'>

const HEADER = /^# checkpoint ([0-9]+) line=([0-9]+) pid=([0-9]+) kind=([a-z]+)(?: tids=([0-9,]+))?$/

function parseHeader(text: string, at: Location): Header {
  const m = HEADER.exec(text)
  if (!m) throw new RecordingError(at, 'header', '"# checkpoint N line=L pid=P kind=K"', quote(text))
  const [, number, line, process, name, tasks = ''] = m
  const kind = KINDS.find((known) => known === name)
  if (!kind) throw new RecordingError(at, 'kind', KINDS.join(', '), quote(name ?? ''))
  return { number: Number(number), line: Number(line), process: Number(process), kind, tasks: tasks.split(',').filter(Boolean).map(Number) }
}

/** @throws RecordingError for an area that is not above the last one of the map, or no user's */
function inOrder(entry: MapsEntry, map: readonly MapsEntry[], at: Location): MapsEntry {
  const last = map.at(-1)?.end ?? 0
  if (entry.start < last) throw new RecordingError(at, 'range', `an area above 0x${last.toString(16)}, where the last one ends`, `0x${entry.start.toString(16)}`)
  if (entry.end > ADDRESS_END) throw new RecordingError(at, 'range', 'an area of user addresses (below 2^53)', `0x${entry.end.toString(16)}`)
  return entry
}

/**
 * The blocks of `checkpoints.maps`, in order of time, in batches; memory is bounded by the largest block.
 * @throws RecordingError
 */
export async function* readCheckpoints(path: string): AsyncGenerator<readonly Checkpoint[], void, undefined> {
  let header: Header | undefined
  let map: MapsEntry[] = []
  for await (const { first, lines, cut } of readLines(path)) {
    const batch: Checkpoint[] = []
    for (const [i, text] of lines.entries()) {
      const at = { file: path, line: first + i }
      if (cut && i === lines.length - 1) throw new RecordingError(at, 'line', 'a whole line', `a truncated one: ${quote(text)}`)
      if (header === undefined) {
        if (text !== '') header = parseHeader(text, at)
        continue
      }
      if (text !== '') {
        const entry = parseMapsLine(text, at)
        if (isUserArea(entry)) map.push(inOrder(entry, map, at))
        continue
      }
      batch.push({ ...header, map })
      header = undefined
      map = []
    }
    if (batch.length > 0) yield batch
  }
  if (header) yield [{ ...header, map }]
}
