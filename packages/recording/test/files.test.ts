import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openRecording, readCheckpoints, readFaults, readLines, replay, type LineBatch } from '../src/index.ts'
import { createKernel } from '@mmu-notifier/kernel'
import { PhysicalMemory } from '@mmu-notifier/mm'
import { eventsOf, fileOf, FIXTURES, folderOf, messageOf, temporaryFolder, text } from './helpers.ts'

const COUNTS_DESCRIPTORS = existsSync('/proc/self/fd')
const descriptors = (): number => readdirSync('/proc/self/fd').length

async function batchesOf(path: string, pause = async (): Promise<void> => undefined): Promise<LineBatch[]> {
  const batches: LineBatch[] = []
  for await (const batch of readLines(path)) {
    batches.push(batch)
    await pause()
  }
  return batches
}

const linesOf = async (path: string): Promise<string[]> => (await batchesOf(path)).flatMap(({ lines }) => lines)

describe('lines', () => {
  test('plain and gzip are told apart by their first bytes', async () => {
    expect(await linesOf(fileOf('a\n\nb\n', 'x.gz'))).toEqual(['a', '', 'b'])
    expect(await linesOf(fileOf(gzipSync('a\n\nb\n'), 'x'))).toEqual(['a', '', 'b'])
    expect(await linesOf(fileOf(Buffer.concat([gzipSync('a\n'), gzipSync('b\n')])))).toEqual(['a', 'b'])
  })

  test('CRLF; an empty file; one byte', async () => {
    expect(await linesOf(fileOf('a\r\nb\n'))).toEqual(['a', 'b'])
    expect(await linesOf(fileOf(''))).toEqual([])
    expect(await linesOf(fileOf('\n'))).toEqual([''])
  })

  test('every byte survives, as one character', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i).filter((i) => i !== 0x0a && i !== 0x0d))
    const [line = ''] = await linesOf(fileOf(Buffer.concat([bytes, Buffer.from('\n')])))
    expect(Buffer.from(line, 'latin1')).toEqual(bytes)
  })

  test.each([false, true])('come in batches of bounded size, numbered, whatever the size of the file (gzip: %s)', async (gzip) => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 97)}`)
    const content = Buffer.from(`${lines.join('\n')}\n`)
    const batches = await batchesOf(fileOf(gzip ? gzipSync(content) : content))
    expect(batches.flatMap((batch) => batch.lines)).toEqual(lines)
    let first = 1
    for (const batch of batches) {
      expect(batch.first).toBe(first)
      first += batch.lines.length
    }
    expect(Math.max(...batches.map((batch) => batch.lines.join('\n').length))).toBeLessThan(128 << 10)
  })

  test('the batches are those of the text, however it comes and is read', async () => {
    const content = Buffer.from(Array.from({ length: 50_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 97)}\n`).join(''))
    const plain = fileOf(content)
    const gzip = fileOf(gzipSync(content))
    const batches = await batchesOf(plain)
    expect(batches.length).toBe(Math.ceil(content.length / (64 << 10)))
    expect(await batchesOf(gzip)).toEqual(batches)
    for (const path of [plain, gzip]) expect(await batchesOf(path, () => setTimeout(2))).toEqual(batches)
  })

  test('the last line without its end is marked', async () => {
    expect((await batchesOf(fileOf('a\nb'))).map(({ lines, cut }) => [lines, cut])).toEqual([[['a'], false], [['b'], true]])
  })

  test.runIf(COUNTS_DESCRIPTORS)('abandoned half way, the file is closed', async () => {
    const before = descriptors()
    for (const path of [import.meta.filename, join(FIXTURES, 'python-mix/faults.txt.gz')]) {
      const lines = readLines(path)
      await lines.next()
      await lines.return()
    }
    await expect.poll(descriptors).toBeLessThanOrEqual(before)
  })
})

describe('what is no recording', () => {
  const open = (content: string | Buffer, name?: string): Promise<string> => messageOf(openRecording(fileOf(content, name)))

  test.each<[string, string | Buffer, string]>([
    ['an empty file', '', 'trace.strace:1: text: expected strace output, found an empty file'],
    ['blank lines', '\n\n', 'trace.strace:1: text: expected strace output, found an empty file'],
    ['another text', '\nHello, world.\nHow are you?\n', 'trace.strace:2: text: expected strace output, found "Hello, world."'],
    ['another text in one line', 'Hello', 'trace.strace:1: text: expected strace output, found "Hello"'],
    ['source code', 'int main(void)\n', 'trace.strace:1: text: expected strace output, found "int main(void)"'],
    ['a binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0x0a]), 'trace.strace:1: text: expected strace output, found "\\u007fELF\\u0002\\u0001\\u0001"'],
    ['a line in between', '1 brk(NULL) = 0x1000\noops\n1 brk(NULL) = 0x1000\n', 'trace.strace:2: line: expected a strace line, found "oops"'],
    ['a line without result', '1 brk(NULL) = 0x1000\n1 brk(NULL)\n', 'trace.strace:2: result: expected "= RESULT" behind the arguments, found the end of the line'],
    ['a line that is cut in a call', '1 brk(NULL) = 0x1000\n1 mmap(NULL, 81', 'trace.strace:2: line: expected a whole line, found a truncated one: "1 mmap(NULL, 81"'],
    ['a line that is cut in a name', '1 brk(NULL) = 0x1000\n1 mm', 'trace.strace:2: line: expected a whole line, found a truncated one: "1 mm"'],
    ['a line that is cut in a number', '1 brk(NULL) = 0x1000', 'trace.strace:1: line: expected a whole line, found a truncated one: "1 brk(NULL) = 0x1000"'],
    ['the only line, cut', '1 brk(NUL', 'trace.strace:1: line: expected a whole line, found a truncated one: "1 brk(NUL"'],
    ['a note of strace that nothing follows', '1 clone(x|SIGCHLDstrace: Process 2 attached\n', 'trace.strace:1: line: expected a whole line, found a truncated one: "1 clone(x|SIGCHLD"'],
    ['a gzip file that is cut', gzipSync('1 brk(NULL) = 0x1000\n').subarray(0, 20), 'trace.strace: file: expected a whole gzip file, found one that is cut short'],
    ['a damaged gzip file', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), 'trace.strace: file: expected a gzip file, found a damaged one (Z_DATA_ERROR)'],
  ])('%s', async (_, content, message) => {
    expect(await open(content)).toBe(message)
  })

  test('a file without a line end for megabytes', async () => {
    expect(await open(Buffer.alloc(5 << 20, 0x41))).toBe('trace.strace:1: line: expected lines of less than 4 MiB, found a longer one')
  })

  test('a last line without its end that cannot go on is whole', async () => {
    expect(await open('1 exit_group(0) = ?')).toBe('no error')
    expect(await open('1 +++ exited with 0 +++')).toBe('no error')
    expect(await open('1 munmap(0x1, 1) = -1 EINVAL (Invalid argument)')).toBe('no error')
  })

  test('nothing there; a folder without trace', async () => {
    expect(await messageOf(openRecording('/nowhere/at-all'))).toBe('at-all: file: expected a recording, found no such file or folder')
    expect(await messageOf(openRecording(join(import.meta.dirname, '../src')))).toBe('src: folder: expected a file trace.strace or trace.strace.gz, found none')
  })

  test('strace that was interrupted lets go of its tasks', async () => {
    const calls = `
      2945 munmap(0x10000, 8192) = 0
      2945 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=50000000},`
    expect(await eventsOf(fileOf(text(`${calls}  <detached ...>`)))).toHaveLength(2)
    const events = await eventsOf(fileOf(text(`
      strace: Process 2945 attached with 2 threads
      ${calls.trim()} strace: Process 2945 detached
      <detached ...>
      strace: Process 2947 detached
    `).replace('\n<det', '\n <det')))
    expect(events.map(({ kind, line }) => [kind, line])).toEqual([['other', 1], ['call', 2], ['other', 3], ['other', 5]])
  })

  test('paths are known where a file is mapped with one, or none is mapped', async () => {
    const named = async (fd: string): Promise<boolean> => (await openRecording(fileOf(`1 mmap(NULL, 1, PROT_READ, MAP_SHARED, ${fd}, 0) = 0x10000\n`))).named
    expect(await Promise.all(['3</x>', '-1', 'fd=-1', '3', 'fd=3'].map(named))).toEqual([true, true, true, false, false])
  })

  test('-r: times add up; a clock that was set back stands still', async () => {
    const times = async (...clock: string[]): Promise<unknown[]> => {
      const events = await eventsOf(fileOf(clock.map((time) => `9 ${time} brk(NULL) = 0x1000\n`).join('')))
      return events.map(({ time = 0 }) => time - (events[0]?.time ?? 0))
    }
    expect(await times('0.100000', '0.200000', '0.300000')).toEqual([0, 200_000, 500_000])
    expect(await times('1795415328.000000', '1795415327.000000', '1795415329.000000')).toEqual([0, 0, 1_000_000])
  })

  test('-tt: midnight is in between', async () => {
    const events = await eventsOf(fileOf('23:59:59.900000 brk(NULL) = 0x1000\n00:00:00.100000 brk(NULL) = 0x1000\n'))
    expect((events[1]?.time ?? 0) - (events[0]?.time ?? 0)).toBe(200_000)
  })

  test.runIf(COUNTS_DESCRIPTORS)('a replay that fails closes its files', async () => {
    const before = descriptors()
    const hooks = { mmCreated: () => Promise.reject(new Error('no driver')) }
    for (const name of ['python-mix', 'text-variants/c.ff.26867.gz']) {
      expect(await messageOf(replay(await openRecording(join(FIXTURES, name)), new PhysicalMemory(createKernel()), hooks))).toBe('no driver')
    }
    await expect.poll(descriptors).toBeLessThanOrEqual(before)
  })

  test('an impossible address, with the line', async () => {
    const path = fileOf('1 brk(NULL) = 0x1000\n1 munmap(0xffff888000000000, 4096) = 0\n')
    const message = 'trace.strace:2: address: expected a user address (below 2^53), found "0xffff888000000000"'
    expect(await messageOf(eventsOf(path))).toBe(message)
    const recording = await openRecording(path)
    expect(await messageOf(replay(recording, new PhysicalMemory(createKernel())))).toBe(message)
  })
})

describe('strace -ff', () => {
  const write = (files: Record<string, string>): string => {
    const folder = temporaryFolder()
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), text(content))
    return folder
  }
  const first = `
    1795415328.1 fork() = 12
    1795415328.3 brk(NULL) = 0x1000
  `

  test('any file of the set stands for all; lines are merged by time, tasks are in the names', async () => {
    const folder = write({ 't.11': first, 't.12': '1795415328.2 brk(NULL) = 0x2000\n1795415328.4 brk(NULL) = 0x2000', 'u.13': first, 't.old': 'x', 't': 'x' })
    const tasks = (await eventsOf(join(folder, 't.12'))).map(({ task, line }) => [task, line])
    expect(tasks).toEqual([[11, 1], [12, 1], [11, 2], [12, 2]])
    expect(await eventsOf(join(folder, 't.11'))).toHaveLength(4)
  })

  test('ids are not in order of time', async () => {
    const at = (second: number): string => `1795415328.${second} brk(NULL) = 0x1000`
    const folder = write({ 't.12': at(2), 't.13': at(9), 't.14': at(1) })
    expect((await eventsOf(join(folder, 't.12'))).map(({ task }) => task)).toEqual([14, 12, 13])
  })

  test('a task that did nothing has an empty file', async () => {
    const folder = write({ 't.11': first })
    writeFileSync(join(folder, 't.12'), '')
    expect((await eventsOf(join(folder, 't.11'))).map(({ task }) => task)).toEqual([11, 11])
  })

  test('without a clock the files cannot be put in order', async () => {
    const none = write({ 't.11': 'brk(NULL) = 0x1000', 't.12': 'brk(NULL) = 0x1000' })
    expect(await messageOf(openRecording(join(none, 't.11')))).toBe('t.11:1: time: expected a time of the clock on every line (strace -ff -ttt), found none')
    const relative = write({ 't.11': '0.000000 brk(NULL) = 0x1000', 't.12': '0.000000 brk(NULL) = 0x1000' })
    expect(await messageOf(openRecording(join(relative, 't.11')))).toMatch(/found a relative one$/)
  })

  test('a single file needs none', async () => {
    expect((await eventsOf(join(write({ 't.11': 'brk(NULL) = 0x1000' }), 't.11')))[0]?.task).toBe(11)
  })
})

describe('checkpoints and faults', () => {
  const checkpoints = async (content: string): Promise<unknown[]> => {
    const all = []
    for await (const batch of readCheckpoints(fileOf(content, 'checkpoints.maps'))) all.push(...batch)
    return all
  }
  const LINE = '00400000-00401000 r-xs 00001000 fe:00 21 /a b\\012c'

  test('blocks, with and without the last empty line', async () => {
    const block = `# checkpoint 3 line=5 pid=7 kind=attach tids=7,8\n${LINE}\nffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n`
    const map = [{ start: 0x400000, end: 0x401000, prot: 5, shared: true, offset: 0x1000, device: 'fe:00', inode: 21, name: '/a b\nc' }]
    const expected = { number: 3, line: 5, process: 7, kind: 'attach', tasks: [7, 8], map }
    expect(await checkpoints(`${block}\n${block}`)).toEqual([expected, expected])
    expect(await checkpoints('')).toEqual([])
  })

  test.each([
    ['hello\n', '1: header: expected "# checkpoint N line=L pid=P kind=K", found "hello"'],
    ['# checkpoint 3 line=5 pid=7 kind=nap\n', '1: kind: expected exec, attach, stop, exit, found "nap"'],
    [`# checkpoint 3 line=5 pid=7 kind=stop\n${LINE}\n00400000 r-xs\n`, '3: range: expected a line of /proc/PID/maps, found "00400000 r-xs"'],
    ['# checkpoint 3 line=5 pid=7 kind=stop\n00401000-00400000 r-xs 00001000 fe:00 21\n', '2: range: expected whole pages, the end above the start, found "00401000-00400000"'],
    ['# checkpoint 3 line=5 pid=7 kind=stop\n00400010-00401000 r-xs 00001000 fe:00 21\n', '2: range: expected whole pages, the end above the start, found "00400010-00401000"'],
    ['# checkpoint 3 line=5 pid=7 kind=stop\n00400000-00401000 r-xs 00001010 fe:00 21\n', '2: offset: expected a page-aligned offset, found "00001010"'],
    [`# checkpoint 3 line=5 pid=7 kind=stop\n${LINE}\n${LINE}\n`, '3: range: expected an area above 0x401000, where the last one ends, found 0x400000'],
    ['# checkpoint 3 line=5 pid=7 kind=stop\nffff888000000000-ffff888000001000 r-xs 00000000 fe:00 21\n', '2: range: expected an area of user addresses (below 2^53), found 0xffff888000001000'],
    [`# checkpoint 3 line=5 pid=7 kind=stop\n${LINE}\n0040`, '3: line: expected a whole line, found a truncated one: "0040"'],
  ])('%j', async (content, message) => {
    expect(await messageOf(checkpoints(content))).toBe(`checkpoints.maps:${message}`)
  })

  const faults = async (content: string): Promise<unknown[]> => {
    const all = []
    for await (const batch of readFaults(fileOf(content, 'faults.txt'))) all.push(...batch)
    return all
  }

  test('faults', async () => {
    const fault = { task: 9, time: 12000034, address: 0x7f00, ip: 0x40, access: 'write', mode: 'kernel', cause: 'protection' }
    expect(await faults('# tid time\n9 12.000034 7f00 40 wkp\n')).toEqual([fault])
  })

  test('a last fault that is cut', async () => {
    expect(await messageOf(faults('9 12.000034 7f00 40 wkp\n9 12.000035 7f00 40 wkp'))).toMatch(/^faults.txt:2: line: expected/)
  })

  test('faults are merged by time since 1970, or not at all', async () => {
    const message = 'trace.strace:1: time: expected a time since 1970 (strace -ttt), as faults.txt has, found'
    expect(await messageOf(openRecording(folderOf({ trace: '1 brk(NULL) = 0', faults: '# tid' })))).toBe(`${message} none`)
    expect(await messageOf(openRecording(folderOf({ trace: '1 0.1 brk(NULL) = 0', faults: '# tid' })))).toBe(`${message} relative`)
  })

  test.each(['9 12.000034 7f00 40 wk', '9 12 7f00 40 wkp', 'x 12.000034 7f00 40 wkp'])('no fault: %s', async (content) => {
    expect(await messageOf(faults(`${content}\n`))).toBe(`faults.txt:1: line: expected "TID SECONDS.MICROS ADDR IP AMW", found "${content}"`)
  })
})
