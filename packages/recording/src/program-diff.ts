import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { ProgramMachine, type CreateDevice, type Results } from './program-machine.ts'
import { RESULT_FIELDS, STATE_FIELDS } from './program-operations.ts'
import type { Json, Program, ProgramLine } from './program.ts'

/** A field in which the model does otherwise than the kernel did. */
export interface ProgramMismatch {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** `ret`, `errno`, `ev`, `pm`, …; `error` when the model cannot go on. */
  readonly field: string
  /** Null for a field that is not there. */
  readonly expected: Json
  readonly actual: Json
}

export interface ProgramReport {
  readonly operations: number
  /** Of these, without any mismatch. */
  readonly equal: number
  readonly mismatches: readonly ProgramMismatch[]
}

const FINAL_FIELDS: ReadonlySet<string> = new Set(['final'])

/** Told of each line with what the model did, the fields of a recording, and whether the kernel did the same: true for a script. */
export type ProgramListener = (line: ProgramLine, actual: Results, equal: boolean) => void

/**
 * Runs a program on the model, and compares every field of every line with what the kernel did. After a mismatch it goes on, so later ones
 * may follow from the first. A script is run only.
 */
export async function runProgram(program: Program, createDevice: CreateDevice, listen?: ProgramListener): Promise<ProgramReport> {
  const { file, header, lines, recorded } = program
  const mismatches: ProgramMismatch[] = []
  const operations = lines.reduce((sum, { kind }) => (kind === 'operation' ? sum + 1 : sum), 0)
  let equal = 0
  const machine = await ProgramMachine.start(header, createDevice)
  for (const line of lines) {
    const before = mismatches.length
    try {
      const actual = await perform(machine, line)
      if (recorded) compare(file, line, actual, mismatches)
      listen?.(line, actual, mismatches.length === before)
    } catch (error) {
      // Whatever an oracle finds, or the model's code trips over: the machine is not one any more.
      const actual = isMmuNotifierError(error) ? error.message : String(error)
      mismatches.push({ file, line: line.line, field: 'error', expected: null, actual })
      break
    }
    if (line.kind === 'operation' && mismatches.length === before) equal++
  }
  return { operations, equal, mismatches }
}

function perform(machine: ProgramMachine, line: ProgramLine): Promise<Results> {
  if (line.kind === 'operation') return machine.perform(line.operation)
  return line.kind === 'state' ? machine.state() : machine.final()
}

function compare(file: string, line: ProgramLine, actual: Results, mismatches: ProgramMismatch[]): void {
  const expected: Readonly<Record<string, Json>> = line.kind === 'operation' ? line.operation : line.kind === 'state' ? line.state : { final: line.final }
  const fields = line.kind === 'operation' ? RESULT_FIELDS : line.kind === 'state' ? STATE_FIELDS : FINAL_FIELDS
  if (sameResults(expected, actual, fields)) return
  for (const field of fields) {
    const wanted = expected[field]
    const got = actual[field]
    if (!equals(wanted, got)) mismatches.push({ file, line: line.line, field, expected: wanted ?? null, actual: got ?? null })
  }
}

/** Whether both have the same fields of `fields`, with the same values. */
function sameResults(a: Readonly<Record<string, Json>>, b: Readonly<Record<string, Json>>, fields: ReadonlySet<string>): boolean {
  let more = 0
  for (const field in a) {
    if (!fields.has(field)) continue
    if (!equals(a[field], b[field])) return false
    more++
  }
  for (const field in b) if (fields.has(field)) more--
  return more === 0
}

/** Of JSON values; field order does not count. */
function equals(a: Json | undefined, b: Json | undefined): boolean {
  if (!Array.isArray(a)) return a === b
  if (!Array.isArray(b) || a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!equals(a[i] as Json, b[i] as Json)) return false
  return true
}
