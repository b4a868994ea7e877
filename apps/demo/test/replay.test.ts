import { openRecording } from '@mmu-notifier/recording'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { BUILTIN } from '../src/drivers.ts'
import { passed } from '../src/report.ts'
import { run } from '../src/run.ts'

const RECORDINGS = resolve(import.meta.dirname, '../../../fixtures/recordings')

test.each([
  ['vmops', 17, 1],
  ['vmops', 17, 7],
  ['sh-pipe', 8, 1],
  ['python-mix', 22, 1],
])('%s: all %d checkpoints equal and nothing stale, with both drivers attached (seed %d)', async (name, checkpoints, seed) => {
  let last = 0
  const report = await run({
    recording: await openRecording(resolve(RECORDINGS, name)),
    drivers: Object.values(BUILTIN),
    seed,
    progress: (line, total) => {
      expect(line).toBeLessThanOrEqual(total)
      last = line
    },
  })
  const { replay, statistics } = report
  expect(report.violations).toEqual([])
  expect(report.left).toEqual({ notifiers: 0, frames: 0 })
  expect(replay.checkpoints).toMatchObject({ equal: checkpoints, compared: checkpoints })
  expect(passed(report)).toBe(true)
  expect(last).toBeGreaterThan(0.9 * replay.lines)
  expect(report.checked).toBeGreaterThan(400)
  expect(statistics.invalidations.release).toBeGreaterThan(0)
  // In which of the drivers a reader collides is up to the schedule.
  expect(statistics.drivers.reduce((sum, { retries }) => sum + retries, 0)).toBeGreaterThan(0)
  for (const driver of statistics.drivers) {
    expect(driver.callbacks).toBeGreaterThan(100)
    expect(driver.accesses).toBeGreaterThan(100)
    expect(driver.inserted).toBe(driver.released)
  }
})

test('the same seed gives the same run', async () => {
  const numbers = async (seed: number): Promise<string> => {
    const report = await run({ recording: await openRecording(resolve(RECORDINGS, 'vmops')), drivers: Object.values(BUILTIN), seed })
    return JSON.stringify(report.statistics)
  }
  expect(await numbers(3)).toBe(await numbers(3))
  expect(await numbers(3)).not.toBe(await numbers(4))
})
