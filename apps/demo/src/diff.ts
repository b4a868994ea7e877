import { DmirrorDevice } from '@mmu-notifier/driver-selftest'
import { readProgram, runProgram, type CreateDevice, type Program, type ProgramLine, type ProgramMismatch, type Results } from '@mmu-notifier/recording'
import pc from 'picocolors'
import { showLine, showMismatch } from './diff-report.ts'

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
