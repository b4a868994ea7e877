import { checksNothing, chromeTrace, parseShard, type Counterexample, type Exploration, type ExploreOptions, type RunOptions, type Shard, type Strategy } from '@mmu-notifier/explore'
import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { UsageError } from './errors.ts'
import type { Job, Message } from './explore-job.ts'
import { mergeFiles, mergeParts } from './explore-merge.ts'
import { Progress } from './progress.ts'
import { shellCommand } from './shell.ts'

export interface ExploreCommandOptions {
  readonly scenario?: string
  readonly strategy: Strategy
  readonly budget: number
  readonly seed?: number
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

/** Options that not every strategy looks at, and those that do. */
const LOOKED_AT: readonly (readonly [option: 'seed' | 'preemptions' | 'depth', by: readonly Strategy[]])[] = [
  ['seed', ['portfolio', 'random', 'pct', 'dpor']],
  ['preemptions', ['portfolio', 'bounded']],
  ['depth', ['portfolio', 'pct']],
]

/** `mmu-notifier explore`. @returns the exit status: 1 when an execution fails */
export async function exploreCommand(files: readonly string[], options: ExploreCommandOptions): Promise<number> {
  const [file] = files
  if (options.merge) {
    if (file === undefined) throw new UsageError('explore --merge: expected at least one file')
    return tell(file, mergeFiles(files), [], options)
  }
  if (file === undefined || files.length > 1) throw new UsageError(`explore: expected one file with a scenario, got ${files.length}`)
  const { strategy } = options
  for (const [option, by] of LOOKED_AT) {
    const { [option]: value } = options
    if (value !== undefined && !by.includes(strategy)) throw new UsageError(`explore --strategy ${strategy} --${option} ${value}: --${option} has an effect with ${by.join(', ')} only`)
  }
  const path = resolve(file)
  if (!existsSync(path)) throw new UsageError(`explore ${file}: no such file`)
  const url = pathToFileURL(path).href
  if (options.replay !== undefined) return replayed(file, url, options.replay, options)
  const parts = await explored(file, url, options)
  const [only] = parts
  const whole = parts.length === 1 && only ? only : mergeParts(parts)
  return tell(file, whole, options.shard === undefined ? [] : parts, options)
}

/** Explores in as many threads as there are jobs; the first failure ends them all. */
async function explored(file: string, url: string, options: ExploreCommandOptions): Promise<readonly Exploration[]> {
  const { scenario, strategy, budget, seed, preemptions, depth, jobs } = options
  const shard = shardOf(options.shard, jobs)
  const progress = new Progress(`exploring ${file}`, 'executions')
  const done: number[] = Array.from({ length: jobs }, () => 0)
  const workers: Worker[] = []
  const given: ExploreOptions = {
    ...runOptionsOf(options),
    strategy,
    budget,
    ...(seed !== undefined && { seed }),
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
  console.log(json ? JSON.stringify(counterexample ?? { code: 'PASSED' }, undefined, 2) : report)
  if (trace !== undefined) writeTrace(trace, counterexample)
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
  const command = counterexample && !merging ? `\n\n${replayCommand(file, counterexample.token, options)}` : ''
  if (json) console.log(JSON.stringify(parts.length > 1 ? { ...exploration, parts } : exploration, undefined, 2))
  else console.log(`${report}${command}`)
  if (trace !== undefined) writeTrace(trace, counterexample)
  if (!checksNothing(exploration)) return verdict === 'failed' ? 1 : 0
  console.error('mmu-notifier: nothing was checked: `assume` dropped every execution')
  return 1
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

/** Comes last, so that a path that is none costs the trace only. */
function writeTrace(path: string, counterexample: Counterexample | undefined): void {
  if (!counterexample) {
    console.error(`mmu-notifier: --trace ${path}: nothing fails, so nothing was written`)
    return
  }
  try {
    writeFileSync(path, JSON.stringify(chromeTrace(counterexample)))
  } catch (error) {
    throw new UsageError(`--trace ${path}: cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}

/** As many parts as explore takes. */
const MOST_PARTS = 10_000

/** Each job explores a part of the shard, so that there are as many parts as shards times jobs. */
function shardOf(text: string | undefined, jobs: number): Shard {
  let shard: Shard = { index: 0, count: 1 }
  try {
    if (text !== undefined) shard = parseShard(text)
  } catch {
    throw new UsageError(`--shard: expected I/N with N from 1 to ${MOST_PARTS} and I from 1 to N, got ${text ?? ''}`)
  }
  if (shard.count * jobs > MOST_PARTS) throw new UsageError(`--jobs ${jobs}${text === undefined ? '' : ` --shard ${text}`}: expected at most ${MOST_PARTS} parts, got ${shard.count * jobs}`)
  return shard
}
