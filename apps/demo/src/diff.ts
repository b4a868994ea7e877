import { DmirrorDevice } from '@mmu-notifier/driver-selftest'
import { readProgram, RecordingError, runProgram, type CreateDevice, type Program, type ProgramLine, type ProgramMismatch, type Results } from '@mmu-notifier/recording'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import pc from 'picocolors'
import { showLine, showMismatch } from './diff-report.ts'
import { Progress } from './progress.ts'

export interface DiffOptions {
  readonly json?: boolean
}

export interface DiffReport {
  readonly programs: number
  readonly operations: number
  /** Operations without any mismatch. */
  readonly equal: number
  readonly mismatches: readonly ProgramMismatch[]
}

/** Operations that are shown before a mismatch. */
const BEFORE = 5

const createDevice: CreateDevice = (memory, index, { pages }) => new DmirrorDevice(memory, { name: `hmm_dmirror${index}`, pages: 2 * pages })

/** `mmu-notifier diff`. @returns the exit status: 1 when the model does otherwise than the kernel did */
export async function diffCommand(paths: readonly string[], { json = false }: DiffOptions): Promise<number> {
  const files = (await Promise.all(paths.map(findPrograms))).flat()
  const progress = new Progress('comparing', 'program')
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0 // an errno is a result here: nobody looks at its stack, which is the dearest part of it
  const report = await diff(files, {
    done: (n) => { progress.update(n, files.length) },
    ...(!json && { print: (line: string) => { console.log(line) } }),
  }).finally(() => {
    Error.stackTraceLimit = stackTraceLimit
    progress.stop()
  })
  if (json) console.log(JSON.stringify(report, undefined, 2))
  else if (report.programs > 0) console.log(summary(report))
  return report.mismatches.length === 0 ? 0 : 1
}

/** Runs programs and compares them. Of each that differs `print` gets the first mismatch, with what came before it; of scripts all that the model does. */
export async function diff(
  files: readonly string[],
  { print, done }: { print?: (line: string) => void; done?: (programs: number) => void } = {},
): Promise<DiffReport> {
  const mismatches: ProgramMismatch[] = []
  let programs = 0
  let operations = 0
  let equal = 0
  for (const [i, file] of files.entries()) {
    const program = await readProgram(file)
    const ran: [ProgramLine, Results][] = []
    const report = await runProgram(program, createDevice, (line, actual) => {
      if (program.recorded) ran.push([line, actual])
      else print?.(showLine(line, actual))
    })
    done?.(i + 1)
    mismatches.push(...report.mismatches)
    if (report.mismatches[0]) print?.(explain(program, ran, report.mismatches[0]))
    if (!program.recorded) continue
    programs++
    operations += report.operations
    equal += report.equal
  }
  return { programs, operations, equal, mismatches }
}

function explain(program: Program, ran: readonly [ProgramLine, Results][], mismatch: ProgramMismatch): string {
  const before = ran.filter(([{ line, kind }]) => line < mismatch.line && kind === 'operation').slice(-BEFORE)
  const at = program.lines.find(({ line }) => line === mismatch.line)
  return [...before.map(([line, actual]) => pc.dim(showLine(line, actual))), showMismatch(mismatch, at)].join('\n')
}

function summary({ programs, operations, equal, mismatches }: DiffReport): string {
  const differing = new Set(mismatches.map(({ file }) => file)).size
  const line = `${programs} programs, ${equal} of ${operations} operations as the kernel did`
  return differing === 0 ? pc.green(line) : pc.red(`${line}; ${differing} programs differ`)
}

/** A file, or every recorded program of a folder and of those in it. */
async function findPrograms(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw new RecordingError({ file: path, line: 0 }, 'file', 'a file or folder', String((error as NodeJS.ErrnoException).code))
  })
  if (!found.isDirectory()) return [path]
  const names = (await readdir(path, { recursive: true })).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort()
  if (names.length === 0) throw new RecordingError({ file: path, line: 0 }, 'file', 'recorded programs (.jsonl, .jsonl.gz) in the folder', 'none')
  return names.map((name) => join(path, name))
}
