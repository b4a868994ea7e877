import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MemoryCall, RecordingEvent } from '../src/index.ts'
import { eventsOf, FIXTURES } from './helpers.ts'

const STYLES = [
  'a.default.strace.gz', 'b.stderr-tt-T.strace.gz', 'c.ff.26867.gz', 'd.relative.strace.gz', 'e.raw.strace.gz', 'f.verbose-n.strace.gz',
]

/**
 * The calls of each task, so that two runs of one program compare: every address by the order of its first use since execve (runs differ by ASLR), tasks
 * by the order of their creation, without paths, which only -y tells.
 */
function program(events: readonly RecordingEvent[]): string[][] {
  const tasks = new Map<number, { calls: string[]; addresses: Map<number, string> }>()
  const taskOf = (id: number): { calls: string[]; addresses: Map<number, string> } => {
    const task = tasks.get(id) ?? { calls: [], addresses: new Map<number, string>() }
    tasks.set(id, task)
    return task
  }
  for (const event of events) {
    const task = taskOf(event.task)
    if (event.kind === 'exit') task.calls.push('exit')
    if (event.kind !== 'call') continue
    if (event.call.name === 'clone') taskOf(event.call.result)
    if (event.call.name === 'execve') task.addresses.clear()
    task.calls.push(describeCall(event.call, task.addresses))
  }
  return [...tasks.values()].map(({ calls }) => calls)
}

function describeCall(call: MemoryCall, addresses: Map<number, string>): string {
  const values = Object.entries(call).map(([field, value]): unknown => {
    if (field === 'result' && call.name === 'clone') return 'a task'
    if (field === 'flags' && call.name === 'clone') return Number(value) & ~0xff // without the signal: a name is none of CLONE_
    if (field === 'file') return value === undefined ? 'anonymous' : 'file'
    if (!['address', 'result', 'end'].includes(field) || value === 0) return value
    const address = Number(value)
    const name = addresses.get(address) ?? `A${addresses.size}`
    addresses.set(address, name)
    return name
  })
  return values.join(' ')
}

describe('one program in six styles of strace', () => {
  test.each(STYLES.slice(1))('%s has the calls of the default style', async (style) => {
    const [expected, actual] = await Promise.all([STYLES[0] ?? '', style].map(async (name) => program(await eventsOf(join(FIXTURES, 'text-variants', name)))))
    expect(actual).toEqual(expected)
  })

  test('which are these', async () => {
    const [shell = [], ls = [], wc = [], ...rest] = program(await eventsOf(join(FIXTURES, 'text-variants', STYLES[0] ?? '')))
    expect([shell.length, ls.length, wc.length, rest.length]).toEqual([19, 41, 30, 0])
    expect(shell.slice(0, 4)).toEqual(['execve', 'brk 0 A0', 'mmap 8192 3 34 anonymous 0 A1', 'mmap 39247 1 2 file 0 A2'])
    expect(shell.slice(-3)).toEqual(['clone 18874368 a task', 'clone 18874368 a task', 'exit'])
    expect(ls[0]).toBe('execve')
  })

  test.each([...STYLES.slice(1, 5), ...STYLES.slice(5)])('%s: times never go back', async (style) => {
    const times = (await eventsOf(join(FIXTURES, 'text-variants', style))).map(({ time }) => time ?? -1)
    expect(times.length).toBeGreaterThan(0)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(5e6)
  })
})
