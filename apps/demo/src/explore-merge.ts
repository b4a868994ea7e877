import { merge, type Exploration } from '@mmu-notifier/explore'
import { readFileSync } from 'node:fs'
import { UsageError } from './errors.ts'

/** What `explore --json` printed into files, added up. @throws UsageError that names file and field */
export function mergeFiles(files: readonly string[]): Exploration {
  return mergeParts(files.flatMap((file) => {
    const content = read(file)
    const parts = isObject(content) ? content['parts'] : undefined
    if (!Array.isArray(parts)) return [explorationOf(file, content, '')]
    if (parts.length === 0) throw new UsageError(`explore --merge ${file}: parts: expected at least one`)
    return parts.map((part, i) => explorationOf(file, part, `parts[${i}].`))
  }))
}

export function mergeParts(parts: readonly Exploration[]): Exploration {
  try {
    return merge(parts)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

type Fields = Readonly<Record<string, unknown>>
/** A field as it is to be: what is expected, and whether that is so. */
type Expected = readonly [what: string, holds: (value: unknown, all: Fields) => boolean]

const VERDICTS: readonly unknown[] = ['exhausted', 'sampled', 'failed'] satisfies Exploration['verdict'][]
const COUNT: Expected = ['a whole number >= 0', isCount]
const TEXT: Expected = ['a string', (value) => typeof value === 'string']

const EXPLORATION: Readonly<Record<keyof Exploration, Expected>> = {
  verdict: [VERDICTS.join(', '), (value) => VERDICTS.includes(value)],
  by: TEXT,
  executions: COUNT,
  traces: ['a whole number >= 0 of what is exhausted, and none else', (value, { verdict }) => (verdict === 'exhausted' ? isCount(value) : value === undefined)],
  blocked: COUNT,
  dropped: COUNT,
  fingerprint: ['four hex digits', (value) => typeof value === 'string' && /^[0-9a-f]{4}$/.test(value)],
  shard: ['an index below its count, or none', (value) => value === undefined || (isObject(value) && isCount(value['index']) && isCount(value['count']) && value['index'] < value['count'])],
  counterexample: ['an object with code, message, token and steps of what has failed, and none else', (value, { verdict }) => (verdict === 'failed' ? isCounterexample(value) : value === undefined)],
  report: TEXT,
}

function explorationOf(file: string, value: unknown, path: string): Exploration {
  const wrong = (field: string, what: string, found: unknown): UsageError =>
    new UsageError(`explore --merge ${file}: ${path}${field}expected ${what}, found ${shortened(found)}; it is to be what \`explore --json\` prints`)
  if (!isObject(value)) throw wrong('', 'an object', value)
  for (const [field, [what, holds]] of Object.entries(EXPLORATION)) if (!holds(value[field], value)) throw wrong(`${field}: `, what, value[field])
  return value as unknown as Exploration
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`explore --merge ${file}: ${error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : String(error)}`)
  }
}

function isCounterexample(value: unknown): boolean {
  if (!isObject(value)) return false
  const { code, message, token, steps } = value
  return [code, message, token].every((text) => typeof text === 'string') && Array.isArray(steps) && steps.every(isStep)
}

function isStep(value: unknown): boolean {
  if (!isObject(value)) return false
  const { step, task, kind, object, holds } = value
  return isCount(step) && [task, kind, object].every((text) => typeof text === 'string') && Array.isArray(holds)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shortened(value: unknown): string {
  const text = value === undefined ? 'none' : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
