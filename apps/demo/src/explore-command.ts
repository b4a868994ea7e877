import { chromeTrace, merge, parseShard, type Counterexample, type Exploration, type ExploreOptions, type RunOptions, type Shard, type Strategy } from '@mmu-notifier/explore'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { UsageError } from './errors.ts'
import type { Job, Message } from './explore-job.ts'
import { Progress } from './progress.ts'
import { shellCommand } from './shell.ts'

export interface ExploreCommandOptions {
  readonly scenario?: string
  readonly strategy?: Strategy
  readonly budget: number
  readonly seed: number
  readonly preemptions?: number
  readonly depth?: number
  readonly lockdep: boolean
  readonly maxSteps?: number
  readonly shard?: string
  readonly jobs: number
  readonly replay?: string
  readonly merge?: boolean
  readonly trace?: string
  readonly json?: boolean
}

/** `mmu-notifier explore`. @returns the exit status: 1 when an execution fails */
export async function exploreCommand(files: readonly string[], options: ExploreCommandOptions): Promise<number> {
  const [file] = files
  if (options.merge) {
    if (file === undefined) throw new UsageError('explore --merge: expected at least one file')
    return tell(file, merged(files), [], options)
  }
  if (file === undefined || files.length > 1) throw new UsageError(`explore: expected one file with a scenario, got ${files.length}`)
  const path = resolve(file)
  if (!existsSync(path)) throw new UsageError(`explore ${file}: no such file`)
  const url = pathToFileURL(path).href
  if (options.replay !== undefined) return replayed(file, url, options.replay, options)
  const parts = await explored(file, url, options)
  const [only] = parts
  const whole = parts.length === 1 && only ? only : mergedParts(parts)
  return tell(file, whole, options.shard === undefined ? [] : parts, options)
}

/** Explores in as many threads as there are jobs; the first failure ends them all. */
async function explored(file: string, url: string, options: ExploreCommandOptions): Promise<readonly Exploration[]> {
  const { scenario, strategy, budget, seed, preemptions, depth, jobs } = options
  const shard = shardOf(options.shard)
  const progress = new Progress(`exploring ${file}`, 'executions')
  const done: number[] = Array.from({ length: jobs }, () => 0)
  const workers: Worker[] = []
  const given: ExploreOptions = {
    ...runOptionsOf(options),
    budget,
    seed,
    ...(strategy !== undefined && { strategy }),
    ...(preemptions !== undefined && { preemptions }),
    ...(depth !== undefined && { depth }),
  }
  try {
    const parts = done.map(async (_, i) => {
      const part = { index: shard.index * jobs + i, count: shard.count * jobs }
      const job: Job = { url, scenario, replay: undefined, options: { ...given, ...(part.count > 1 && { shard: part }) } }
      const message = await run(file, job, workers, (executions) => {
        done[i] = executions
        progress.update(done.reduce((a, b) => a + b), Math.ceil(budget / shard.count))
      })
      if (message.kind !== 'explored') throw new Error(`unexpected ${message.kind}`)
      return message.exploration
    })
    const failed = Promise.any(parts.map(async (part) => {
      const exploration = await part
      if (exploration.verdict !== 'failed') throw new Error('not failed')
      return [exploration]
    }))
    return await Promise.race([failed.catch(() => Promise.all(parts)), Promise.all(parts)])
  } finally {
    progress.stop()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

async function replayed(file: string, url: string, token: string, options: ExploreCommandOptions): Promise<number> {
  const workers: Worker[] = []
  const { scenario, trace, json } = options
  const message = await run(file, { url, scenario, replay: token, options: runOptionsOf(options) }, workers)
  await Promise.all(workers.map((worker) => worker.terminate()))
  if (message.kind !== 'replayed') throw new Error(`unexpected ${message.kind}`)
  const { counterexample, report } = message
  if (counterexample && trace !== undefined) writeTrace(trace, counterexample)
  console.log(json ? JSON.stringify(counterexample ?? { code: 'PASSED' }, undefined, 2) : report)
  return counterexample ? 1 : 0
}

/** @returns the last message of a worker. UsageError for what the caller has to change */
function run(file: string, job: Job, workers: Worker[], progress?: (executions: number) => void): Promise<Message> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./explore-worker.js', import.meta.url), { workerData: job })
    workers.push(worker)
    worker.on('message', (message: Message) => {
      if (message.kind === 'progress') progress?.(message.executions)
      else if (message.kind === 'usage') reject(new UsageError(`explore ${file}: ${message.message}`))
      else resolve(message)
    })
    worker.on('error', reject)
    worker.on('exit', (code) => { reject(new UsageError(`explore ${file}: the scenario ended the thread that explores it, with code ${code}`)) })
  })
}

function tell(file: string, exploration: Exploration, parts: readonly Exploration[], options: ExploreCommandOptions): number {
  const { counterexample, report, verdict } = exploration
  const { json, trace, merge: merging } = options
  if (counterexample && trace !== undefined) writeTrace(trace, counterexample)
  const command = counterexample && !merging ? `\n\n${replayCommand(file, counterexample.token, options)}` : ''
  if (json) console.log(JSON.stringify(parts.length > 1 ? { ...exploration, parts } : exploration, undefined, 2))
  else console.log(`${report}${command}`)
  return verdict === 'failed' ? 1 : 0
}

/** With whatever else decides what the token's execution is. */
function replayCommand(file: string, token: string, { scenario, lockdep, maxSteps }: ExploreCommandOptions): string {
  return shellCommand([
    'mmu-notifier', 'explore', file,
    ...(scenario === undefined ? [] : ['--scenario', scenario]),
    ...(lockdep ? [] : ['--no-lockdep']),
    ...(maxSteps === undefined ? [] : ['--max-steps', String(maxSteps)]),
    '--replay', token,
  ])
}

function runOptionsOf({ lockdep, maxSteps }: ExploreCommandOptions): RunOptions {
  return { lockdep, ...(maxSteps !== undefined && { maxSteps }) }
}

function writeTrace(path: string, counterexample: Counterexample): void {
  writeFileSync(path, JSON.stringify(chromeTrace(counterexample)))
}

/** What `--json` printed into files, added up. */
function merged(files: readonly string[]): Exploration {
  return mergedParts(files.flatMap((file) => {
    let content: unknown
    try {
      content = JSON.parse(readFileSync(file, 'utf8'))
    } catch (error) {
      throw new UsageError(`explore --merge ${file}: ${error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : String(error)}`)
    }
    const { parts } = (content ?? {}) as { parts?: unknown }
    const explorations = Array.isArray(parts) ? (parts as unknown[]) : [content]
    for (const exploration of explorations) {
      const { verdict, executions, fingerprint } = (exploration ?? {}) as Partial<Exploration>
      if (verdict === undefined || !Number.isSafeInteger(executions) || typeof fingerprint !== 'string') {
        throw new UsageError(`explore --merge ${file}: expected what \`explore --json\` prints: an object with verdict, executions and fingerprint`)
      }
    }
    return explorations as Exploration[]
  }))
}

function mergedParts(parts: readonly Exploration[]): Exploration {
  try {
    return merge(parts)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function shardOf(text: string | undefined): Shard {
  if (text === undefined) return { index: 0, count: 1 }
  try {
    return parseShard(text)
  } catch (error) {
    throw new UsageError(`--${error instanceof Error ? error.message : String(error)}`)
  }
}
