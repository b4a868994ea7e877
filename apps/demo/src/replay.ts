import type { Driver } from '@mmu-notifier/driver'
import { openRecording } from '@mmu-notifier/recording'
import { basename } from 'node:path'
import { BUILTIN, loadDriver } from './drivers.ts'
import { UsageError } from './errors.ts'
import { Progress } from './progress.ts'
import { passed, toJson, toTable } from './report.ts'
import { run } from './run.ts'

export interface ReplayOptions {
  readonly driver?: readonly string[]
  readonly seed: number
  readonly json?: boolean
}

/** `mmu-notifier replay`. @returns the exit status: 1 when a checkpoint differs or an oracle complains */
export async function replayCommand(path: string, options: ReplayOptions): Promise<number> {
  const drivers: Driver[] = []
  for (const spec of options.driver ?? Object.keys(BUILTIN)) {
    const driver = await loadDriver(spec)
    if (drivers.some(({ name }) => name === driver.name)) throw new UsageError(`--driver ${spec}: a driver named ${driver.name} is there already`)
    drivers.push(driver)
  }
  const recording = await openRecording(path)
  const progress = new Progress(`replaying ${path}`)
  try {
    const report = await run({ recording, drivers, seed: options.seed, progress: (line, total) => { progress.update(line, total) } })
    progress.stop()
    console.log(options.json ? JSON.stringify(toJson(path, report), undefined, 2) : toTable(basename(path), report))
    return passed(report) ? 0 : 1
  } finally {
    progress.stop()
  }
}
