import { Worker } from 'node:worker_threads'
import type { ClaimJob, ClaimMessage } from './claims-job.ts'

/** Runs jobs in some threads, in the order in which they come. @returns the answers in the order of the jobs */
export async function inThreads(jobs: readonly ClaimJob[], threads: number, done: (answered: number) => void): Promise<readonly ClaimMessage[]> {
  const answers: ClaimMessage[] = []
  let next = 0
  let answered = 0
  const workers: Worker[] = []
  try {
    await Promise.all(
      Array.from({ length: Math.min(threads, jobs.length) }, async () => {
        const worker = new Worker(new URL('./claims-worker.js', import.meta.url))
        workers.push(worker)
        for (let at = next++; at < jobs.length; at = next++) {
          answers[at] = await ask(worker, jobs[at] as ClaimJob)
          done(++answered)
        }
      }),
    )
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  return answers
}

function ask(worker: Worker, job: ClaimJob): Promise<ClaimMessage> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void): void => {
      worker.off('message', answered)
      worker.off('error', failed)
      settled()
    }
    const answered = (message: ClaimMessage): void => { settle(() => { resolve(message) }) }
    const failed = (error: unknown): void => { settle(() => { reject(error instanceof Error ? error : new Error(String(error))) }) }
    worker.on('message', answered)
    worker.on('error', failed)
    worker.postMessage(job)
  })
}
