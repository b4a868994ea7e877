import { openRecording } from '@mmu-notifier/recording'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { BUILTIN } from '../src/drivers.ts'
import { passed, toTable } from '../src/report.ts'
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

test('the same seed gives the same run, however its files come', async () => {
  const numbers = async (seed: number, recording = resolve(RECORDINGS, 'vmops')): Promise<string> => {
    const report = await run({ recording: await openRecording(recording), drivers: Object.values(BUILTIN), seed })
    return JSON.stringify(report.statistics)
  }
  const once = await numbers(3)
  expect(await numbers(3)).toBe(once)
  expect(await numbers(3, unpacked('vmops'))).toBe(once)
  expect(await numbers(4)).not.toBe(once)
})

test('a map that differs is shown with both ranges', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-'))
  onTestFinished(() => { rmSync(folder, { recursive: true }) })
  writeFileSync(join(folder, 'trace.strace'), '7 brk(NULL) = 0x1000\n7 munmap(0x10000, 4096) = 0\n')
  const map = '00010000-00012000 rw-p 00000000 00:00 0\n\n'
  writeFileSync(join(folder, 'checkpoints.maps'), `# checkpoint 0 line=1 pid=7 kind=exec\n${map}# checkpoint 1 line=2 pid=7 kind=stop\n${map}`)
  const report = await run({ recording: await openRecording(folder), drivers: [], seed: 1 })
  expect(passed(report)).toBe(false)
  expect(toTable('r', report)).toContain('checkpoint 1 (process 7, after line 2) differs at 0x10000: kernel 00010000-00012000 rw-p 00000000 anonymous, model nothing')
})

/** A copy of a recording that is not compressed, so that its bytes are read in other pieces. */
function unpacked(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-'))
  onTestFinished(() => { rmSync(folder, { recursive: true }) })
  for (const file of ['trace.strace', 'checkpoints.maps', 'faults.txt']) {
    writeFileSync(join(folder, file), gunzipSync(readFileSync(resolve(RECORDINGS, name, `${file}.gz`))))
  }
  return folder
}
