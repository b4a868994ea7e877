import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createKernel } from '@mmu-notifier/kernel'
import { PhysicalMemory, type Mm } from '@mmu-notifier/mm'
import { onTestFinished } from 'vitest'
import {
  formatRange, normalFormOfMm, openRecording, parseLine, replay, type RecordingEvent, type ReplayHooks, type ReplayReport, type StraceBody,
} from '../src/index.ts'

export const FIXTURES: string = resolve(import.meta.dirname, '../../../fixtures/recordings')

/** A folder for one test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'recording-'))
  onTestFinished(() => { rmSync(folder, { recursive: true }) })
  return folder
}

/** The lines of a template: indentation and empty first and last lines left out. */
export function text(template: string): string {
  return `${template.trim().split('\n').map((line) => line.trim()).join('\n')}\n`
}

/** A file of its own for one test; the content byte by byte (latin1). */
export function fileOf(content: string | Buffer, name = 'trace.strace'): string {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, content, 'latin1')
  return path
}

export interface Parts {
  readonly trace: string
  readonly checkpoints?: string
  readonly faults?: string
}

/** A folder as in fixtures/recordings, from templates. */
export function folderOf({ trace, checkpoints, faults }: Parts): string {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'trace.strace'), text(trace), 'latin1')
  if (checkpoints !== undefined) writeFileSync(join(folder, 'checkpoints.maps'), `${text(checkpoints)}\n`, 'latin1')
  if (faults !== undefined) writeFileSync(join(folder, 'faults.txt'), text(faults))
  return folder
}

/** What a line says. */
export function body(line: string): StraceBody {
  return parseLine(line, { file: 'f', line: 1 }).body
}

/** All events of a recording. */
export async function eventsOf(path: string): Promise<RecordingEvent[]> {
  const events: RecordingEvent[] = []
  const batches = (await openRecording(path)).events()
  for (let next = await batches.next(); next.done !== true; next = await batches.next()) events.push(...next.value)
  return events
}

export function mapOf(mm: Mm): string[] {
  return normalFormOfMm(mm, { named: true }).map(formatRange)
}

export interface Replayed extends ReplayReport {
  /** The last map of each process in normal form, before its exit. */
  readonly maps: Readonly<Record<number, readonly string[]>>
  readonly memory: PhysicalMemory
}

/** Replays a path, a trace template, or templates. */
export async function replayed(from: string | Parts, hooks: ReplayHooks = {}): Promise<Replayed> {
  const path = typeof from === 'object' ? folderOf(from) : from.includes('\n') ? fileOf(text(from)) : from
  const memory = new PhysicalMemory(createKernel())
  const names = new Map<Mm, number>()
  const maps: Record<number, readonly string[]> = {}
  const report = await replay(await openRecording(path), memory, {
    ...hooks,
    async mmCreated(mm, processId) {
      names.set(mm, processId)
      await hooks.mmCreated?.(mm, processId)
    },
    async mmExit(mm) {
      maps[names.get(mm) ?? -1] = mapOf(mm)
      await hooks.mmExit?.(mm)
    },
  })
  return { ...report, maps, memory }
}

/** The error message of what is awaited, with the path of the file cut to its name. */
export async function messageOf(action: Promise<unknown>): Promise<string> {
  try {
    await action
  } catch (error) {
    return (error as Error).message.replace(/^\S*\//, '')
  }
  return 'no error'
}
