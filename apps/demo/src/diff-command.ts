import { RecordingError } from '@mmu-notifier/recording'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import pc from 'picocolors'
import type { DiffJob, DiffMessage } from './diff-job.ts'
import type { DiffReport } from './diff.ts'
import { UsageError } from './errors.ts'
import { Progress } from './progress.ts'

export interface DiffOptions {
  readonly json?: boolean
}

/** `mmu-notifier diff`. @returns the exit status: 1 when the model does otherwise than the kernel did */
export async function diffCommand(paths: readonly string[], { json = false }: DiffOptions): Promise<number> {
  const files = (await Promise.all(paths.map(findPrograms))).flat()
  const report = await compare({ files, lines: !json })
  if (json) console.log(JSON.stringify(report, undefined, 2))
  else if (report.programs > 0) console.log(summary(report))
  return report.mismatches.length === 0 ? 0 : 1
}

/** Compares in a thread of its own, see `diff-worker.ts`, and prints what it says. */
function compare(job: DiffJob): Promise<DiffReport> {
  const progress = new Progress('comparing', 'program')
  const worker = new Worker(new URL('./diff-worker.js', import.meta.url), { workerData: job })
  return new Promise<DiffReport>((resolve, reject) => {
    worker.on('message', (message: DiffMessage) => {
      if (message.kind === 'progress') progress.update(message.programs, job.files.length)
      else if (message.kind === 'line') console.log(message.line)
      else if (message.kind === 'usage') reject(new UsageError(message.message))
      else resolve(message.report)
    })
    worker.on('error', reject)
    worker.on('exit', (code) => { reject(new Error(`the thread that compares has ended with code ${code}`)) })
  }).finally(() => { progress.stop() })
}

function summary({ programs, operations, equal, mismatches }: DiffReport): string {
  const differing = new Set(mismatches.map(({ file }) => file)).size
  const line = `${programs} programs, ${equal} of ${operations} operations as the kernel did`
  return differing === 0 ? pc.green(line) : pc.red(`${line}; ${differing} programs differ`)
}

/** A file, or every recorded program of a folder and of those in it. @throws RecordingError when there is none */
export async function findPrograms(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw new RecordingError({ file: path, line: 0 }, 'file', 'a file or folder', String((error as NodeJS.ErrnoException).code))
  })
  if (!found.isDirectory()) return [path]
  const names = (await readdir(path, { recursive: true })).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort()
  if (names.length === 0) throw new RecordingError({ file: path, line: 0 }, 'file', 'recorded programs (.jsonl, .jsonl.gz) in the folder', 'none')
  return names.map((name) => join(path, name))
}
