import { DmirrorDevice } from '@mmu-notifier/driver-selftest'
import { readProgram, runProgram, type CreateDevice, type Program, type ProgramLine, type ProgramMismatch, type ProgramReport, type Results } from '@mmu-notifier/recording'
import pc from 'picocolors'
import { scriptLine, showLine, showMismatch, type ScriptLine } from './diff-report.ts'

export interface DiffReport {
  readonly programs: number
  readonly operations: number
  /** Operations without any mismatch. */
  readonly equal: number
  readonly mismatches: readonly ProgramMismatch[]
  /** What the model does: there is nothing to compare it with. */
  readonly scripts: readonly { readonly file: string; readonly lines: readonly ScriptLine[] }[]
}

type Ran = readonly [line: ProgramLine, actual: Results]

/** Operations that are shown before a mismatch. */
const BEFORE = 5

const createDevice: CreateDevice = (memory, index, { pages }) => new DmirrorDevice(memory, { name: `hmm_dmirror${index}`, pages: 2 * pages })

/** Runs programs and compares them. Of each that differs `print` gets the first mismatch, with what came before it; of scripts all that the model does. */
export async function diff(
  files: readonly string[],
  { print, done }: { print?: (line: string) => void; done?: (programs: number) => void } = {},
): Promise<DiffReport> {
  const mismatches: ProgramMismatch[] = []
  const scripts: { file: string; lines: ScriptLine[] }[] = []
  let programs = 0
  let operations = 0
  let equal = 0
  for (const [i, file] of files.entries()) {
    const program = await readProgram(file)
    const lines: ScriptLine[] = []
    const report = await diffProgram(program, print, lines)
    done?.(i + 1)
    mismatches.push(...report.mismatches)
    if (!program.recorded) {
      scripts.push({ file, lines })
      continue
    }
    programs++
    operations += report.operations
    equal += report.equal
  }
  return { programs, operations, equal, mismatches, scripts }
}

/** One that has been read. @param lines gets what a script does */
export async function diffProgram(program: Program, print?: (line: string) => void, lines?: ScriptLine[]): Promise<ProgramReport> {
  const last: Ran[] = []
  let differs = false
  const report = await runProgram(program, createDevice, (line, actual, equal) => {
    if (!program.recorded) {
      print?.(showLine(line, actual))
      lines?.push(scriptLine(line, actual))
    }
    differs ||= !equal
    if (!differs && line.kind === 'operation' && last.push([line, actual]) > BEFORE) last.shift()
  })
  if (report.mismatches[0]) print?.(explain(program, last, report.mismatches[0]))
  return report
}

/** @param last the operations before it */
function explain({ lines }: Program, last: readonly Ran[], mismatch: ProgramMismatch): string {
  const at = lines.find(({ line }) => line === mismatch.line)
  return [...last.map(([line, actual]) => pc.dim(showLine(line, actual))), showMismatch(mismatch, at)].join('\n')
}
