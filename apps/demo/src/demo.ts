import { openRecording } from '@mmu-notifier/recording'
import { join } from 'node:path'
import pc from 'picocolors'
import { BUILTIN } from './drivers.ts'
import { Progress } from './progress.ts'
import { passed, toTable } from './report.ts'
import { run } from './run.ts'
import { scene } from './scene.ts'

/** The recording that the package carries. */
const RECORDING = join(import.meta.dirname, '../recordings/python-mix')

/** `mmu-notifier demo`. @returns the exit status */
export async function demoCommand(seed: number): Promise<number> {
  console.log(pc.bold('A recorded Python program (threads, fork, files), replayed with two drivers that mirror it\n'))
  const progress = new Progress('replaying python-mix')
  const report = await run({
    recording: await openRecording(RECORDING),
    drivers: Object.values(BUILTIN),
    seed,
    progress: (line, total) => { progress.update(line, total) },
  }).finally(() => { progress.stop() })
  console.log(toTable('python-mix', report))
  console.log(pc.bold('\nWhat the thread is about: find, get, a hole by batch, asynchronous put, release. Each line is an event.\n'))
  await scene(console.log)
  return passed(report) ? 0 : 1
}
