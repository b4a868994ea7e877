import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import type { DiffJob, DiffMessage } from './diff-job.ts'

/*
 * The thread that compares. A program is one task and nothing in it waits, so all that it stands on runs as ordinary functions, faster than on promises:
 * whatever is imported after the hook, so nothing of that may be imported before.
 */
if (!isMainThread && parentPort) {
  const port = parentPort
  const say = (message: DiffMessage): void => { port.postMessage(message) }
  await import('@mmu-notifier/explore/sequential')
  const { diff } = await import('./diff.ts')
  const { isMmuNotifierError } = await import('@mmu-notifier/kernel')

  // An errno is a result here: nobody looks at its stack, which is the dearest part of it.
  if (!process.env['MMU_NOTIFIER_DEBUG']) Error.stackTraceLimit = 0
  const { files, lines } = workerData as DiffJob
  try {
    const report = await diff(files, {
      done: (programs) => { say({ kind: 'progress', programs }) },
      ...(lines && { print: (line: string) => { say({ kind: 'line', line }) } }),
    })
    say({ kind: 'report', report })
  } catch (error) {
    if (!isMmuNotifierError(error, 'ERECORDING')) throw error
    say({ kind: 'usage', message: error.message })
  }
}
