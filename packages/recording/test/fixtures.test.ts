import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { TASK_SIZE, type Mm } from '@mmu-notifier/mm'
import { describe, expect, test } from 'vitest'
import { FIXTURES, replayed, temporaryFolder } from './helpers.ts'

interface Provenance {
  readonly lines: number
  readonly calls: number
  readonly calls_by_name: Readonly<Record<string, number>>
  readonly reference_replay: { readonly compared: number; readonly equal_normal_form: number; readonly late_starts: number; readonly early_applied: number }
}

const provenance = (name: string): Provenance => JSON.parse(readFileSync(join(FIXTURES, name, 'provenance.json'), 'utf8')) as Provenance
const recorded = readdirSync(FIXTURES).filter((name) => readdirSync(join(FIXTURES, name)).includes('checkpoints.maps.gz'))

describe.each(recorded)('%s', (name) => {
  test('every checkpoint is equal, as the independent reference has it', async () => {
    const expected = provenance(name)
    const { compared, equal_normal_form, late_starts, early_applied } = expected.reference_replay
    const report = await replayed(join(FIXTURES, name))
    expect(report.checkpoints).toEqual({ compared, equal: equal_normal_form, differences: [] })
    expect(report).toMatchObject({ lines: expected.lines, calls: expected.calls, lateStarts: late_starts, earlyApplied: early_applied, uncertain: [] })
    expect(Object.fromEntries(report.callsByName)).toEqual(expected.calls_by_name)
    expect(report.faults.refused).toBe(0)
    expect(report.faults.performed).toBeGreaterThan(200)
  })
})

test('after the replay all frames are free', async () => {
  const { memory } = await replayed(join(FIXTURES, 'vmops'))
  expect(memory.frames.used).toBe(1) // the zero page
})

describe('sharp: without one call of vmops a checkpoint differs', () => {
  const LINES = gunzipSync(readFileSync(join(FIXTURES, 'vmops/trace.strace.gz'))).toString('latin1').split('\n')

  test.each([
    'munmap(0x7fbf1a823000, 8192)',
    'mprotect(0x7fbf1a81f000, 32768, PROT_READ) = -1 ENOMEM',
    'mmap(0x7fbf1a827000, 16384',
    'mremap(0x7fbf1a793000, 16384, 16384, MREMAP_MAYMOVE|MREMAP_FIXED',
    'mremap(0x7fbf1aa1a000, 0, 32768',
    'shmat(60, NULL, 0)',
    'brk(0x5648d36f9355)',
    'mprotect(0x7ebf5a600000, 1048576',
  ])('%s', async (call) => {
    const at = LINES.findIndex((line) => line.includes(call))
    expect(at).toBeGreaterThan(0)
    const folder = temporaryFolder()
    cpSync(join(FIXTURES, 'vmops/checkpoints.maps.gz'), join(folder, 'checkpoints.maps.gz'))
    writeFileSync(join(folder, 'trace.strace'), LINES.with(at, (LINES[at] ?? '').replace(/[a-z0-9_]+\(.*/, '--- SIGCHLD {} ---')).join('\n'), 'latin1')
    const { checkpoints } = await replayed(folder)
    expect(checkpoints.differences.length).toBeGreaterThan(0)
    expect(checkpoints.compared).toBe(17)
  })
})

test('a driver that is attached in the hooks hears of every change', async () => {
  const heard = new Map<string, number>()
  const notifiers = new Map<Mm, Awaited<ReturnType<Mm['notifiers']['insert']>>>()
  const ops = {
    async invalidate(_: unknown, { event }: { event: string }): Promise<boolean> {
      heard.set(event, (heard.get(event) ?? 0) + 1)
      return true
    },
  }
  await replayed(join(FIXTURES, 'vmops'), {
    async mmCreated(mm) {
      notifiers.set(mm, await mm.notifiers.insert({ start: 0, last: TASK_SIZE - 1 }, ops, undefined))
    },
    async mmExit(mm) {
      await notifiers.get(mm)?.remove()
    },
  })
  expect(notifiers.size).toBe(5)
  expect([...heard.keys()].sort()).toEqual(['clear', 'protectionPage', 'protectionVma', 'unmap'])
  expect(heard.get('unmap')).toBeGreaterThan(10)
})

test('progress counts lines up to all of them', async () => {
  const seen: (readonly [number, number])[] = []
  await replayed(join(FIXTURES, 'python-mix'), { progress: (line, total) => void seen.push([line, total]) })
  expect(seen.length).toBeGreaterThan(3)
  expect(seen.map(([line]) => line)).toEqual(seen.map(([line]) => line).sort((a, b) => a - b))
  expect(seen.at(-1)).toEqual([8105, 8105])
})
