import { describe, expect, test } from 'vitest'
import { folderOf, replayed, type Replayed } from './helpers.ts'

/*
 * Each pitfall of recordings as the smallest trace that has it. Maps are those before the exit, in normal form.
 */
const ANON = 'PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0'
const FIXED = 'PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, -1, 0'
const rw = (range: string): string => `${range} rw-p 00000000 anonymous`

/** Replays the calls of task 1 after an execve. */
const run = (calls: string): Promise<Replayed> => replayed(`1 execve("/x", ["x"], 0x0) = 0\n${calls.trim()}`)

const finalMap = async (calls: string): Promise<readonly string[] | undefined> => {
  const { maps, uncertain } = await run(calls)
  expect(uncertain).toEqual([])
  return maps[1]
}

describe('1: the order of lines is not that of the kernel', () => {
  test.each([
    ['munmap', 'munmap(0x10000, 8192', '0'],
    ['a mremap that moves away', 'mremap(0x10000, 8192, 12288, MREMAP_MAYMOVE', '0x90000'],
    ['a mremap that shrinks', 'mremap(0xf000, 12288, 4096, 0', '0xf000'],
  ])('%s in flight is applied when its range is given away', async (name, call, result) => {
    const { maps, earlyApplied, uncertain } = await run(`
      1 mmap(NULL, 4096, ${ANON}) = 0xf000
      1 mmap(NULL, 8192, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      1 ${call} <unfinished ...>
      2 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x10000
      1 <... ${name.includes('mremap') ? 'mremap' : name} resumed>) = ${result}
    `)
    expect(maps[1]).toContain('00010000-00012000 r--p 00000000 anonymous')
    expect({ earlyApplied, uncertain }).toEqual({ earlyApplied: 1, uncertain: [] })
  })

  test('a brk that shrinks, for a mremap that grows in place', async () => {
    const { maps, earlyApplied } = await run(`
      1 brk(NULL) = 0x11000
      1 brk(0x13000) = 0x13000
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      1 brk(0x11000 <unfinished ...>
      2 mremap(0x10000, 4096, 8192, 0) = 0x10000
      1 <... brk resumed>) = 0x11000
    `)
    expect(maps[1]).toEqual([rw('00010000-00012000')])
    expect(earlyApplied).toBe(1)
  })

  test('not when another range is given away, nor for MAP_FIXED', async () => {
    const { maps, earlyApplied, uncertain } = await run(`
      1 mmap(NULL, 8192, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      1 munmap(0x10000, 4096 <unfinished ...>
      2 mmap(NULL, 4096, ${ANON}) = 0x20000
      2 mmap(0x10000, 4096, ${FIXED}) = 0x10000
      1 <... munmap resumed>) = 0
    `)
    expect(maps[1]).toEqual([rw('00011000-00012000'), rw('00020000-00021000')])
    expect({ earlyApplied, uncertain }).toEqual({ earlyApplied: 0, uncertain: [] })
  })

  test('what nothing explains is reported', async () => {
    const { maps, uncertain } = await run(`
      1 mmap(NULL, 8192, ${ANON}) = 0x10000
      1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x11000
    `)
    expect(maps[1]).toEqual([rw('00010000-00011000'), '00011000-00012000 r--p 00000000 anonymous'])
    expect(uncertain).toMatchObject([{ line: 3, text: 'mmap: the kernel gave away 0x11000, the model has 0x11000 mapped' }])
  })

  test('a call that failed is not applied, however early its line is', async () => {
    expect(await finalMap(`
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 munmap(0x10000, 4096 <unfinished ...>
      1 <... munmap resumed>) = -1 EINVAL (Invalid argument)
    `)).toEqual([rw('00010000-00011000')])
  })
})

describe('2 and 3: fork', () => {
  test('lines of a child come before the result of its clone; the copy is that of the entry', async () => {
    const { maps, processes } = await run(`
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 fork( <unfinished ...>
      2 mmap(NULL, 4096, ${ANON}) = 0x20000
      3 mmap(NULL, 4096, ${ANON}) = 0x50000
      1 <... fork resumed>) = 2
      1 mmap(NULL, 4096, ${ANON}) = 0x30000
      2 +++ exited with 0 +++
    `)
    expect(maps[2]).toEqual([rw('00010000-00011000'), rw('00020000-00021000')])
    expect(maps[1]).toEqual([rw('00010000-00011000'), rw('00030000-00031000'), rw('00050000-00051000')])
    expect(processes).toBe(2)
  })

  test('calls of other threads in flight are taken into the copy, and that is said', async () => {
    const { maps, uncertain } = await run(`
      1 mmap(NULL, 8192, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      2 munmap(0x10000, 4096 <unfinished ...>
      1 fork() = 3
      2 <... munmap resumed>) = 0
      3 +++ exited with 0 +++
    `)
    expect(maps[3]).toEqual([rw('00011000-00012000')])
    expect(uncertain).toMatchObject([{ line: 5, text: 'fork: while 1 calls of other threads were in flight' }])
  })

  test('MADV_DONTFORK stays behind', async () => {
    const { maps } = await run(`
      1 mmap(NULL, 8192, ${ANON}) = 0x10000
      1 madvise(0x10000, 4096, MADV_DONTFORK) = 0
      1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 2
      2 +++ exited with 0 +++
    `)
    expect(maps[2]).toEqual([rw('00011000-00012000')])
  })

  test('vfork and CLONE_VM share until execve', async () => {
    const { maps } = await run(`
      1 vfork( <unfinished ...>
      2 mmap(NULL, 4096, ${ANON}) = 0x10000
      2 execve("/y", ["y"], 0x0) = 0
      2 mmap(NULL, 4096, ${ANON}) = 0x20000
      1 <... vfork resumed>) = 2
      2 exit_group(0) = ?
      2 +++ exited with 0 +++
    `)
    expect(maps).toEqual({ 1: [rw('00010000-00011000')], 2: [rw('00020000-00021000')] })
  })

  test('a task id is used again', async () => {
    const { maps } = await run(`
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 fork() = 2
      2 munmap(0x10000, 4096) = 0
      2 +++ killed by SIGKILL +++
      1 fork() = 2
      2 +++ exited with 0 +++
    `)
    expect(maps[2]).toEqual([rw('00010000-00011000')])
  })
})

describe('4: start maps', () => {
  const trace = `
    7 brk(NULL) = 0x99000
    7 munmap(0x10000, 4096) = 0
    1 execve("/x", ["x"], 0x0) = 0
    1 mprotect(0x40000, 4096, PROT_READ) = 0
    1 mmap(NULL, 4096, ${ANON}) = 0x20000
  `
  const START = `
    00040000-00042000 rw-p 00001000 fe:00 21 /x
    00050000-00051000 r--p 00000000 00:00 0 [heap]
    00051000-00052000 rw-p 00000000 00:00 0 [heap]
    7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0 [stack]`

  test('processes without one raise nothing; the checkpoint after execve is the start', async () => {
    const { checkpoints, uncertain, processes, lateStarts } = await replayed({
      trace,
      checkpoints: `# checkpoint 0 line=3 pid=1 kind=exec${START}

        # checkpoint 1 line=5 pid=1 kind=stop
        00020000-00021000 rw-p 00000000 00:00 0
        00040000-00041000 r--p 00001000 fe:00 21 /x
        00041000-00042000 rw-p 00002000 fe:00 21 /x
        00050000-00051000 r--p 00000000 00:00 0 [heap]
        00051000-00052000 rw-p 00000000 00:00 0 [heap]
        7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0 [stack]`,
    })
    expect({ checkpoints, uncertain, processes, lateStarts }).toEqual({ checkpoints: { compared: 1, equal: 1, differences: [] }, uncertain: [], processes: 1, lateStarts: 0 })
  })

  test('a checkpoint that differs says where', async () => {
    const { checkpoints } = await replayed({ trace, checkpoints: `# checkpoint 0 line=3 pid=1 kind=exec${START}\n\n# checkpoint 1 line=4 pid=1 kind=stop${START}` })
    expect(checkpoints).toMatchObject({
      compared: 1,
      equal: 0,
      differences: [{
        checkpoint: { number: 1, line: 4 },
        outcome: 'different',
        difference: { address: 0x40000, kernel: '00040000-00042000 rw-p 00001000 /x', model: '00040000-00041000 r--p 00001000 /x' },
      }],
    })
  })

  test('a late start: the heap ends where it shows', async () => {
    const late = async (call: string): Promise<readonly string[]> => {
      const { maps, ...report } = await replayed({ trace: `${trace}\n1 ${call}`, checkpoints: `# checkpoint 0 line=5 pid=1 kind=stop${START}` })
      expect(report).toMatchObject({ lateStarts: 1, uncertain: [], checkpoints: { compared: 0 } })
      return maps[1] ?? []
    }
    expect(await late('brk(0x53000) = 0x53000')).toContain(rw('00051000-00053000'))
    expect((await late('brk(0x50000) = 0x50000')).filter((range) => range.startsWith('0005'))).toEqual([])
  })

  test('attach: tasks that share the map already', async () => {
    const { maps, uncertain } = await replayed({
      trace: '4 munmap(0x40000, 4096) = 0\n3 munmap(0x50000, 4096) = 0',
      checkpoints: `# checkpoint 0 line=0 pid=3 kind=attach tids=3,4${START}`,
    })
    expect(maps[3]?.slice(0, 2)).toEqual(['00041000-00042000 rw-p 00002000 /x', rw('00051000-00052000')])
    expect(maps[4]).toBeUndefined()
    expect(uncertain).toEqual([])
  })

  test('without any checkpoint, memory is where a call succeeded on it', async () => {
    const { maps, assumedRanges } = await run(`
      1 mprotect(0x40000, 8192, PROT_READ) = 0
      1 munmap(0x60000, 4096) = 0
      1 madvise(0x41000, 8192, MADV_DONTNEED) = 0
    `)
    expect(maps[1]).toEqual(['00040000-00042000 r--p 00000000 anonymous', rw('00042000-00043000')])
    expect(assumedRanges).toBe(2)
  })

  test('holes before, between and behind what is known', async () => {
    const { maps, assumedRanges } = await run(`
      1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</f>, 0) = 0x41000
      1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</f>, 0) = 0x43000
      1 madvise(0x40000, 20480, MADV_DONTNEED) = 0
    `)
    const file = (range: string): string => `${range} r--p 00000000 /f`
    expect(maps[1]).toEqual([
      rw('00040000-00041000'), file('00041000-00042000'), rw('00042000-00043000'), file('00043000-00044000'), rw('00044000-00045000'),
    ])
    expect(assumedRanges).toBe(3)
  })
})

describe('5: brk', () => {
  test('ends are not page aligned; a failed one returns the old end', async () => {
    expect(await finalMap(`
      1 brk(NULL) = 0x50010
      1 brk(0x52001) = 0x52001
      1 brk(0xffffffffffffffff) = 0x52001
      1 brk(0x51fff) = 0x51fff
    `)).toEqual([rw('00051000-00052000')])
  })

  test('what the model cannot follow is reported', async () => {
    const { uncertain } = await run('1 brk(NULL) = 0x50000\n1 brk(NULL) = 0x60000')
    expect(uncertain).toMatchObject([{ line: 3, text: "brk: the heap ends at 0x60000, the model's at 0x50000" }])
  })
})

describe('6: failing calls', () => {
  const HOLE = `
    1 mmap(NULL, 16384, ${ANON}) = 0x10000
    1 munmap(0x12000, 4096) = 0
  `
  test('mprotect changes the pages before the hole', async () => {
    expect(await finalMap(`${HOLE}1 mprotect(0x11000, 12288, PROT_READ) = -1 ENOMEM (Cannot allocate memory)`)).toEqual([
      rw('00010000-00011000'), '00011000-00012000 r--p 00000000 anonymous', rw('00013000-00014000'),
    ])
  })

  test('madvise does all mapped parts', async () => {
    const { maps } = await run(`${HOLE}
      1 madvise(0x11000, 12288, MADV_DONTFORK) = -1 ENOMEM (Cannot allocate memory)
      1 fork() = 2
      2 +++ exited with 0 +++
    `)
    expect(maps[2]).toEqual([rw('00010000-00011000')])
  })

  const AREAS = (second: string, third: string): string => `
    1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x10000
    1 mmap(NULL, 4096, PROT_READ, ${second}, 0) = 0x11000
    1 mmap(NULL, 4096, PROT_READ, ${third}, 0) = 0x12000
  `
  const READ_ONLY = '00011000-00012000 r--s 00000000 /f'
  test.each([
    ['the file that may not be written', AREAS('MAP_SHARED, 3</f>', 'MAP_PRIVATE|MAP_ANONYMOUS, -1'), '0x10000, 12288, PROT_READ|PROT_WRITE', ['rw-', READ_ONLY, 'r--'], 0],
    ['it alone', AREAS('MAP_SHARED, 3</f>', 'MAP_PRIVATE|MAP_ANONYMOUS, -1'), '0x11000, 4096, PROT_READ|PROT_WRITE', ['r--', READ_ONLY, 'r--'], 0],
    ['the first of two', AREAS('MAP_SHARED, 3</f>', 'MAP_SHARED, 3</g>'), '0x10000, 12288, PROT_READ|PROT_WRITE', ['rw-', READ_ONLY, '00012000-00013000 r--s 00000000 /g'], 1],
    ['a file that may not be executed', AREAS('MAP_PRIVATE, 3</f>', 'MAP_PRIVATE|MAP_ANONYMOUS, -1'), '0x10000, 12288, PROT_READ|PROT_EXEC', ['r-x', '00011000-00012000 r--p 00000000 /f', 'r--'], 0],
    ['nobody knows which', AREAS('MAP_PRIVATE, 3</f>', 'MAP_PRIVATE|MAP_ANONYMOUS, -1'), '0x10000, 12288, PROT_READ|PROT_WRITE', ['r--', '00011000-00012000 r--p 00000000 /f', 'r--'], 1],
  ])('mprotect with EACCES changes the areas before %s', async (_, calls, range, [low, file, high = ''], unclear) => {
    const { maps, uncertain } = await run(`${calls}1 mprotect(${range}) = -1 EACCES (Permission denied)`)
    expect(maps[1]).toEqual([`00010000-00011000 ${low ?? ''}p 00000000 anonymous`, file, high.length > 3 ? high : `00012000-00013000 ${high}p 00000000 anonymous`])
    expect(uncertain).toMatchObject(Array(unclear).fill({ line: 5, text: 'mprotect: which of 3 areas refused no system call tells' }))
  })

  test('ENOMEM for another reason changes nothing, and is reported', async () => {
    const { maps, uncertain } = await run(`1 mmap(NULL, 4096, ${ANON}) = 0x10000\n1 mprotect(0x10000, 4096, PROT_READ) = -1 ENOMEM (x)`)
    expect(maps[1]).toEqual([rw('00010000-00011000')])
    expect(uncertain).toMatchObject([{ line: 3, text: 'mprotect: the kernel met a hole, the model knows of none' }])
  })
})

describe('7: mmap and mremap', () => {
  test.each([
    ['lengths round up', `1 mmap(NULL, 4097, ${ANON}) = 0x10000`, [rw('00010000-00012000')]],
    ['huge pages are 2 MiB', '1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB, -1, 0) = 0x200000', ['00200000-00400000 r--p 00000000 anonymous']],
    ['MAP_FIXED replaces', `1 mmap(NULL, 8192, ${ANON}) = 0x10000\n1 mmap(0x10000, 4096, PROT_NONE, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, -1, 0) = 0x10000`, ['00010000-00011000 ---p 00000000 anonymous', rw('00011000-00012000')]],
    ['private /dev/zero is anonymous', '1 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE, 3</dev/zero>, 0) = 0x10000', [rw('00010000-00011000')]],
    ['shared anonymous objects never join', '1 mmap(NULL, 4096, PROT_READ, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x10000\n1 mmap(NULL, 4096, PROT_READ, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x11000', ['00010000-00011000 r--s 00000000 /dev/zero', '00011000-00012000 r--s 00000000 /dev/zero']],
    ['a file, continued', '1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</f>, 0x1000) = 0x10000\n1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</f>(deleted), 0x2000) = 0x11000', ['00010000-00012000 r--p 00001000 /f']],
    ['remap_file_pages', '1 mmap(NULL, 12288, PROT_READ, MAP_SHARED, 3</f>, 0) = 0x10000\n1 remap_file_pages(0x11000, 4096, 0, 7, 0) = 0', ['00010000-00011000 r--s 00000000 /f', '00011000-00012000 r--s 00007000 /f', '00012000-00013000 r--s 00002000 /f']],
    ['old size 0 duplicates', '1 mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3</f>, 0x1000) = 0x10000\n1 mremap(0x10000, 0, 4096, MREMAP_MAYMOVE) = 0x20000', ['00010000-00011000 r--s 00001000 /f', '00020000-00021000 r--s 00001000 /f']],
    ['DONTUNMAP leaves an empty range', `1 mmap(NULL, 4096, ${ANON}) = 0x10000\n1 mremap(0x10000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x20000`, [rw('00010000-00011000'), rw('00020000-00021000')]],
    ['offsets move along', '1 mmap(NULL, 8192, PROT_READ, MAP_SHARED, 3</f>, 0) = 0x10000\n1 mremap(0x11000, 4096, 8192, MREMAP_MAYMOVE) = 0x20000', ['00010000-00011000 r--s 00000000 /f', '00020000-00022000 r--s 00001000 /f']],
    ['move to a fixed place', `1 mmap(NULL, 4096, ${ANON}) = 0x10000\n1 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x20000\n1 mremap(0x10000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_FIXED, 0x20000) = 0x20000`, [rw('00020000-00021000')]],
    ['grow in place, shrink', `1 mmap(NULL, 4096, ${ANON}) = 0x10000\n1 mremap(0x10000, 4096, 12288, MREMAP_MAYMOVE) = 0x10000\n1 mremap(0x10000, 12288, 8192, 0) = 0x10000`, [rw('00010000-00012000')]],
    ['a reservation of 1 TiB', '1 mmap(NULL, 1099511627776, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = 0x7ebf1a600000\n1 mprotect(0x7ebf5a600000, 4096, PROT_READ) = 0', [
      '7ebf1a600000-7ebf5a600000 ---p 00000000 anonymous', '7ebf5a600000-7ebf5a601000 r--p 00000000 anonymous', '7ebf5a601000-7fbf1a600000 ---p 00000000 anonymous',
    ]],
    ['offsets of drivers are large', '1 mmap(NULL, 12288, PROT_READ, MAP_SHARED, 3</dev/kfd>, 0xd5c5800000000000) = 0x10000\n1 munmap(0x11000, 4096) = 0', [
      '00010000-00011000 r--s d5c5800000000000 /dev/kfd', '00012000-00013000 r--s d5c5800000002000 /dev/kfd',
    ]],
    ['failing calls are nothing', '1 mmap(NULL, 18446744073709551615, PROT_READ, MAP_PRIVATE, 3, 0) = -1 ENOMEM (x)\n1 munmap(0xffffffffffffffff, 4096) = -1 EINVAL (x)', undefined],
  ])('%s', async (_, calls, expected) => {
    expect(await finalMap(calls)).toEqual(expected)
  })

  test.each([
    ['by name', 'MAP_DROPPABLE|MAP_ANONYMOUS'],
    ['as a strace that does not know it writes it', '0x8 /* MAP_??? */|MAP_ANONYMOUS'],
  ])('MAP_DROPPABLE is private memory that a child gets empty: %s', async (_, flags) => {
    const pages: Record<string, number> = {}
    const { maps, uncertain } = await replayed(`
      1 execve("/x", ["x"], 0x0) = 0
      1 mmap(NULL, 4096, PROT_READ|PROT_WRITE, ${flags}|MAP_POPULATE, -1, 0) = 0x10000
      1 fork() = 2
      2 +++ exited with 0 +++
    `, { mmExit: (mm) => { mm.pageTable.forEachInRange(0x10000, 0x11000, () => { pages[mm.name] = 1 }) } })
    expect({ maps, uncertain, pages }).toEqual({ maps: { 1: [rw('00010000-00011000')], 2: [rw('00010000-00011000')] }, uncertain: [], pages: { 'pid 1': 1 } })
  })

  test('two shared anonymous objects do not join, though the offset goes on', async () => {
    expect(await finalMap(`
      1 mmap(NULL, 8192, PROT_READ, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x10000
      1 mmap(NULL, 16384, PROT_READ, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x20000
      1 mremap(0x22000, 8192, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x12000) = 0x12000
      1 munmap(0x20000, 8192) = 0
    `)).toEqual(['00010000-00012000 r--s 00000000 /dev/zero', '00012000-00014000 r--s 00002000 /dev/zero'])
  })

  test('SysV segments: the size comes from shmget; shmdt takes what is left of one attachment', async () => {
    expect(await finalMap(`
      1 shmget(0x7, 12288, IPC_CREAT|0600) = 60
      1 shmget(0x7, 0, 0) = 60
      1 shmat(60, NULL, 0) = 0x10000
      1 shmat(60, NULL, SHM_RDONLY) = 0x20000
      1 munmap(0x11000, 4096) = 0
      1 shmdt(0x10000) = 0
    `)).toEqual(['00020000-00023000 r--s 00000000 /SYSV'])
  })
})

describe('small print', () => {
  test('MAP_FIXED does not replace with MAP_FIXED_NOREPLACE beside it', async () => {
    const { uncertain } = await run(`
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 mmap(0x10000, 4096, PROT_READ, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0) = 0x10000
    `)
    expect(uncertain).toMatchObject([{ line: 3, text: 'mmap: the kernel gave away 0x10000, the model has 0x10000 mapped' }])
  })

  test('MREMAP_DONTUNMAP in flight frees nothing', async () => {
    const { earlyApplied, uncertain } = await run(`
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      1 mremap(0x10000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_DONTUNMAP <unfinished ...>
      2 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 <... mremap resumed>) = 0x90000
    `)
    expect({ earlyApplied, uncertain: uncertain.map(({ line }) => line) }).toEqual({ earlyApplied: 0, uncertain: [5] })
  })

  test('SysV segments: SHM_REMAP replaces, SHM_EXEC executes; shmdt leaves other segments alone', async () => {
    expect(await finalMap(`
      1 shmget(0x7, 8192, IPC_CREAT|0600) = 60
      1 shmget(0x8, 8192, IPC_CREAT|0600) = 61
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 shmat(60, 0x10000, SHM_REMAP) = 0x10000
      1 shmat(61, 0x20000, SHM_EXEC) = 0x20000
      1 mremap(0x21000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_FIXED, 0x11000) = 0x11000
      1 shmdt(0x10000) = 0
    `)).toEqual(['00011000-00012000 rwxs 00001000 /SYSV', '00020000-00021000 rwxs 00000000 /SYSV'])
  })

  test('a fork of a map that nobody told is one that nobody told', async () => {
    const { maps, uncertain } = await run('1 brk(NULL) = 0x90000\n1 fork() = 2\n2 mprotect(0x40000, 4096, PROT_READ) = 0\n2 +++ exited with 0 +++')
    expect({ map: maps[2], uncertain }).toEqual({ map: ['00040000-00041000 r--p 00000000 anonymous'], uncertain: [] })
  })

  test('a child that shares a map is a process', async () => {
    expect((await run('1 brk(NULL) = 0x90000\n1 vfork() = 2\n2 +++ exited with 0 +++')).processes).toBe(2)
  })

  test('an execve of another thread is none of the calls that fork takes in', async () => {
    const { uncertain, maps } = await run(`
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      2 execve("/y", ["y"], 0x0 <unfinished ...>
      1 fork() = 3
      2 <... execve resumed>) = 0
      3 +++ exited with 0 +++
    `)
    expect({ uncertain, map: maps[3] }).toEqual({ uncertain: [], map: [rw('00010000-00011000')] })
  })

  test('a call that is over before the map is known is in flight no more', async () => {
    const { uncertain } = await replayed({
      trace: '1 munmap(0x10000, 4096 <unfinished ...>\n2 brk(NULL) = 0x1000\n1 <... munmap resumed>) = 0\n1 brk(NULL) = 0x1000\n1 fork() = 3\n3 +++ exited with 0 +++',
      checkpoints: '# checkpoint 0 line=3 pid=1 kind=stop\n00010000-00011000 rw-p 00000000 00:00 0',
    })
    expect(uncertain).toEqual([])
  })
})

describe('8: pages go away, and come, without munmap', () => {
  /** Frames that are freed while task 1 runs, before its exit. */
  const freed = async (calls: string): Promise<number> => {
    let frames = 0
    let counting = true
    const { uncertain } = await replayed(`1 execve("/x", ["x"], 0x0) = 0\n${calls}`, {
      mmCreated: ({ memory: { kernel } }) => void kernel.on('mm:frame_free', () => { if (counting) frames++ }),
      mmExit: () => { counting = false },
    })
    expect(uncertain).toEqual([])
    return frames
  }
  const SHARED = '1 mmap(NULL, 16384, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_POPULATE, 3</f>, 0) = 0x10000\n'
  test.each([
    ['nothing', SHARED, 0],
    ['ftruncate', `${SHARED}1 ftruncate(3</f>, 4097) = 0`, 2],
    ['ftruncate of another file', `${SHARED}1 ftruncate(3</g>, 4096) = 0`, 0],
    ['punched hole', `${SHARED}1 fallocate(3</f>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4096, 4096) = 0`, 1],
    ['punched up to the largest offset', `${SHARED}1 fallocate(3</f>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4096, 9223372036854771711) = 0`, 3],
    ['punched beyond every page', `${SHARED}1 fallocate(3</f>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 9223372036854771712, 4095) = 0`, 0],
    ['ftruncate to the largest size', `${SHARED}1 ftruncate(3</f>, 9223372036854775807) = 0`, 0],
    ['collapsed range', `${SHARED}1 fallocate(3</f>, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096) = 0`, 3],
    ['fallocate that only adds', `${SHARED}1 fallocate(3</f>, 0, 4096, 4096) = 0`, 0],
    ['MADV_REMOVE', `${SHARED}1 madvise(0x10000, 8192, MADV_REMOVE) = 0`, 2],
    ['mlock, then MADV_DONTNEED', `1 mmap(NULL, 16384, ${ANON}) = 0x10000\n1 mlock(0x11000, 8192) = 0\n1 madvise(0x10000, 16384, MADV_DONTNEED) = 0`, 2],
    ['mlock2 on fault', `1 mmap(NULL, 16384, ${ANON}) = 0x10000\n1 mlock2(0x11000, 8192, MLOCK_ONFAULT) = 0\n1 madvise(0x10000, 16384, MADV_DONTNEED) = 0`, 0],
    ['mlockall', `1 mmap(NULL, 16384, ${ANON}) = 0x10000\n1 mlockall(MCL_CURRENT) = 0\n1 madvise(0x10000, 16384, MADV_DONTNEED) = 0`, 4],
    ['mlockall of the future', `1 mlockall(MCL_FUTURE) = 0\n1 mmap(NULL, 8192, ${ANON}) = 0x10000\n1 madvise(0x10000, 8192, MADV_DONTNEED) = 0`, 2],
    ['mlockall of the future, on fault', `1 mlockall(MCL_FUTURE) = 0\n1 mlockall(MCL_CURRENT|MCL_FUTURE|MCL_ONFAULT) = 0\n1 mmap(NULL, 8192, ${ANON}) = 0x10000\n1 madvise(0x10000, 8192, MADV_DONTNEED) = 0`, 0],
    ['brk, all of the future locked', '1 brk(NULL) = 0x10800\n1 mlockall(MCL_FUTURE) = 0\n1 brk(0x13000) = 0x13000\n1 brk(0x11000) = 0x11000', 2],
    ['shmat, all of the future locked', '1 shmget(0x7, 8192, 0) = 60\n1 mlockall(MCL_FUTURE) = 0\n1 shmat(60, NULL, 0) = 0x10000\n1 madvise(0x10000, 8192, MADV_REMOVE) = 0', 2],
    ['munlockall', `1 mlockall(MCL_FUTURE) = 0\n1 munlockall() = 0\n1 mmap(NULL, 8192, ${ANON}) = 0x10000\n1 madvise(0x10000, 8192, MADV_DONTNEED) = 0`, 0],
    ['MAP_LOCKED', '1 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_LOCKED, -1, 0) = 0x10000\n1 madvise(0x10000, 8192, MADV_DONTNEED) = 0', 2],
  ])('%s frees the pages it should', async (_, calls, pages) => {
    expect(await freed(calls)).toBe(pages)
  })
})

describe('9: the stack, and page faults', () => {
  const checkpoints = (start: string): string => `# checkpoint 0 line=1 pid=1 kind=exec
    7ffe00010000-7ffe00021000 rw-p 00000000 00:00 0 [stack]

    # checkpoint 1 line=2 pid=1 kind=stop
    ${start}-7ffe00021000 rw-p 00000000 00:00 0 [stack]`

  test('the start is taken over, not compared', async () => {
    const trace = '1 execve("/x", ["x"], 0x0) = 0\n1 brk(NULL) = 0x1000'
    const { checkpoints: { equal }, maps } = await replayed({ trace, checkpoints: checkpoints('7ffe00000000') })
    expect({ equal, map: maps[1] }).toEqual({ equal: 1, map: [rw('7ffe00000000-7ffe00021000')] })
    expect((await replayed({ trace, checkpoints: checkpoints('7ffe00020000') })).checkpoints.equal).toBe(1)
    expect((await replayed({ trace, checkpoints: checkpoints('7ffe00000000').replaceAll('21000 rw-p 00000000 00:00 0 [stack]', '21000 rw-p 00000000 00:00 0') })).checkpoints.equal).toBe(0)
  })

  test('faults come between the lines, grow the stack, and wait for the map of an execve', async () => {
    const seen: string[] = []
    const { maps, faults } = await replayed({
      trace: `
        1 1700000010.000000 execve("/x", ["x"], 0x0) = 0
        1 1700000020.000000 mmap(NULL, 8192, ${ANON}) = 0x10000
        1 1700000030.000000 munmap(0x10000, 8192) = 0
        1 1700000040.000000 brk(NULL) = 0x1000
      `,
      checkpoints: checkpoints('7ffe00000000').split('\n\n')[0] ?? '',
      faults: `
        # tid time
        1 1700000009.000000 10000 0 wum
        1 1700000011.000000 7ffe00020008 0 wkm
        1 1700000019.000000 10000 0 wum
        1 1700000025.000000 11010 0 rum
        1 1700000031.000000 10000 0 wum
        2 1700000032.000000 10000 0 wum
        1 1700000033.000000 7ffe0000f000 0 wum
      `,
    }, { fault: (_, { time, address }) => void seen.push(`${(time / 1e6) % 100} ${address.toString(16)}`) })
    expect(seen).toEqual(['11 7ffe00020008', '25 11010', '33 7ffe0000f000'])
    expect(faults).toEqual({ performed: 3, refused: 2, unknown: 2 })
    expect(maps[1]).toEqual([rw('7ffe0000f000-7ffe00021000')])
  })

  test('faults outside of user space are refused', async () => {
    const { faults } = await replayed({
      trace: '1 1700000010.000000 execve("/x", ["x"], 0x0) = 0\n1 1700000020.000000 brk(NULL) = 0x1000',
      faults: '1 1700000021.000000 ffffffffff600000 ffffffffff600000 xum\n1 1700000021.000000 800000000000 40 wum\n1 1700000021.000000 ffffffff81000000 0 rkm',
    })
    expect(faults).toEqual({ performed: 0, refused: 3, unknown: 0 })
  })

  test('faults of a map that no checkpoint will tell are counted too', async () => {
    const { faults } = await replayed({
      trace: '1 1700000010.000000 execve("/x", ["x"], 0x0) = 0\n1 1700000020.000000 brk(NULL) = 0x1000',
      checkpoints: '# checkpoint 0 line=2 pid=7 kind=stop\n00010000-00011000 rw-p 00000000 00:00 0',
      faults: '1 1700000011.000000 10000 0 wum',
    })
    expect(faults).toEqual({ performed: 0, refused: 0, unknown: 1 })
  })

  test('faults of a map that no checkpoint told are counted', async () => {
    const { faults } = await replayed({
      trace: '1 1700000010.000000 execve("/x", ["x"], 0x0) = 0\n1 1700000020.000000 brk(NULL) = 0x1000',
      checkpoints: '# checkpoint 0 line=2 pid=1 kind=stop\n00010000-00011000 rw-p 00000000 00:00 0',
      faults: '1 1700000011.000000 10000 0 wum\n1 1700000012.000000 10000 0 wum\n1 1700000021.000000 10000 0 wum',
    })
    expect(faults).toEqual({ performed: 1, refused: 0, unknown: 2 })
  })
})

describe('10: what no system call tells', () => {
  test.each([
    ['1 io_setup(128, [0x7f0000000000]) = 0', 'io_setup: maps a ring whose place and size no system call tells'],
    ['1 shmat(61, NULL, 0) = 0x10000', 'shmat: segment 61 is from before the recording, its size is not known'],
    ['1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x10000\n1 madvise(0x10000, 4096, MADV_HWPOISON) = 0', 'madvise: the kernel succeeded, the model says EINVAL  madvise: expected MADV_ advice, got 100'],
  ])('%s', async (calls, text) => {
    expect((await run(calls)).uncertain).toMatchObject([{ text }])
  })
})

test('11: files compare by name, without (deleted); without -y a file is a file', async () => {
  const checkpoints = (name: string): string => `
    # checkpoint 0 line=1 pid=1 kind=exec
    00040000-00042000 rw-p 00001000 fe:00 21 /x

    # checkpoint 1 line=2 pid=1 kind=stop
    00010000-00011000 r--p 00000000 fe:00 22 ${name}
    00040000-00042000 rw-p 00001000 fe:00 21 /x
  `
  const trace = (file: string): string => `1 execve("/x", ["x"], 0x0) = 0\n1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, ${file}, 0) = 0x10000`
  const equal = async (file: string, name: string): Promise<number> => (await replayed({ trace: trace(file), checkpoints: checkpoints(name) })).checkpoints.equal
  expect(await equal('3</f>', '/f')).toBe(1)
  expect(await equal('3</f>', '/f (deleted)')).toBe(1)
  expect(await equal('3</f>(deleted)', '/f')).toBe(1)
  expect(await equal('3</f>', '/g')).toBe(0)
  expect(await equal('3', '/g')).toBe(1)
  expect(await equal(String.raw`3</\303\251\n>`, '/\xc3\xa9\\012')).toBe(1)
})

describe('13: tasks without numbers', () => {
  test('the first has none; nor has who is left', async () => {
    const { maps } = await replayed(`
      execve("/x", ["x"], 0x0) = 0
      mmap(NULL, 4096, ${ANON}) = 0x10000
      clone(child_stack=NULL, flags=SIGCHLDstrace: Process 12 attached
      , child_tidptr=0x7f) = 12
      [pid    11] mmap(NULL, 4096, ${ANON}) = 0x20000
      [pid    12] munmap(0x10000, 4096) = 0
      [pid    11] vfork( <unfinished ...>
      [pid    11] <... vfork resumed>) = -1 EAGAIN (x)
      [pid    11] +++ exited with 0 +++
      mmap(NULL, 4096, ${ANON}) = 0x30000
      +++ exited with 0 +++
    `)
    expect(maps).toEqual({ 11: [rw('00010000-00011000'), rw('00020000-00021000')], 12: [rw('00030000-00031000')] })
  })

  test('a call may begin without number and return with one', async () => {
    const { maps } = await replayed(`
      execve("/x", ["x"], 0x0) = 0
      vfork( <unfinished ...>
      [pid    12] execve("/y", ["y"], 0x0) = 0
      [pid    12] brk(NULL) = 0x1000
      [pid    11] <... vfork resumed>) = 12
      [pid    11] mmap(NULL, 4096, ${ANON}) = 0x20000
      [pid    12] +++ exited with 0 +++
    `)
    expect(maps).toEqual({ 11: [rw('00020000-00021000')], 12: [] })
  })
})

describe('14 and 15: the ends of threads', () => {
  /** Replays, and says when maps come and go. */
  const lives = async (trace: string): Promise<string> => {
    const log: string[] = []
    const { memory } = await replayed(`1 execve("/x", ["x"], 0x0) = 0\n1 brk(NULL) = 0x1000\n${trace.trim()}`, {
      mmCreated: (_, processId) => void log.push(`+${processId}`),
      mmExit: ({ name }) => void log.push(`-${name.slice(4)}`),
    })
    expect(memory.frames.used).toBe(1)
    return log.join(' ')
  }

  test.each([
    ['the line says that the id changes', ' <pid changed to 1 ...>\n1 +++ superseded by execve in pid 2 +++\n1 <... execve resumed>) = 0'],
    ['the line is unfinished', ' <unfinished ...>\n1 +++ superseded by execve in pid 2 +++\n1 <... execve resumed>) = 0'],
    ['nothing is said of the others', ') = 0'],
  ])('execve in a thread ends the old map at once: %s', async (_, end) => {
    expect(await lives(`
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 3
      2 execve("/y", ["y"], 0x0${end}
      1 brk(NULL) = 0x1000
      1 fork() = 4
      4 brk(NULL) = 0x1000
    `)).toBe('+1 -1 +1 +4 -1 -4')
  })

  test('the thread that called execve goes on in its new map as the leader', async () => {
    const map = '00010000-00012000 rw-p 00000000 00:00 0'
    const { maps, lateStarts } = await replayed({
      trace: `
        1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
        2 execve("/y", ["y"], 0x0 <pid changed to 1 ...>
        1 munmap(0x10000, 4096) = 0
      `,
      checkpoints: `# checkpoint 0 line=0 pid=1 kind=attach tids=1\n${map}\n\n# checkpoint 1 line=2 pid=1 kind=exec\n${map}`,
    })
    expect({ maps, lateStarts }).toEqual({ maps: { 1: [rw('00011000-00012000')] }, lateStarts: 0 })
  })

  test('a task id is used again, and nobody told the end of the first', async () => {
    expect(await lives('1 fork() = 2\n2 brk(NULL) = 0x1000\n1 fork() = 2')).toBe('+1 +2 -2 +2 -1 -2')
  })

  test('without number: who called execve in a thread', async () => {
    const { maps } = await replayed(`
      execve("/x", ["x"], 0x0) = 0
      clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 12
      [pid    11] brk(NULL) = 0x1000
      [pid    12] execve("/y", ["y"], 0x0 <pid changed to 11 ...>
      +++ superseded by execve in pid 12 +++
      <... execve resumed>) = 0
      mmap(NULL, 4096, ${ANON}) = 0x10000
      +++ exited with 0 +++
    `)
    expect(maps).toEqual({ 11: [rw('00010000-00011000')] })
  })

  test('execve in a thread: the others end, the caller goes on as the leader', async () => {
    const { maps, processes } = await run(`
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 3
      2 execve("/y", ["y"], 0x0 <unfinished ...>
      3 +++ exited with 0 +++
      1 +++ superseded by execve in pid 2 +++
      1 <... execve resumed>) = 0
      1 mmap(NULL, 4096, ${ANON}) = 0x20000
      1 +++ exited with 0 +++
    `)
    expect(maps).toEqual({ 1: [rw('00020000-00021000')] })
    expect(processes).toBe(1)
  })

  test('the address space ends with its last task, not with its leader', async () => {
    const exits: number[] = []
    const { maps } = await replayed(`
      1 execve("/x", ["x"], 0x0) = 0
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 2
      1 +++ exited with 0 +++
      2 mmap(NULL, 4096, ${ANON}) = 0x20000
      2 +++ exited with 0 +++
    `, { mmExit: () => void exits.push(1) })
    expect(maps[1]).toEqual([rw('00010000-00011000'), rw('00020000-00021000')])
    expect(exits).toHaveLength(1)
  })

  test('an address space can be looked at before and after its end', async () => {
    const users: number[] = []
    await replayed(`
      1 execve("/x", ["x"], 0x0) = 0
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 +++ exited with 0 +++
    `, { mmExit: (mm) => void users.push(mm.users), mmExited: (mm) => void users.push(mm.users) })
    expect(users).toEqual([1, 0])
  })

  test('what a driver breaks is not taken for the answer of the model', async () => {
    const replaying = replayed(`
      1 execve("/x", ["x"], 0x0) = 0
      1 mmap(NULL, 4096, ${ANON}) = 0x10000
      1 munmap(0x10000, 4096) = 0
    `, {
      async mmCreated(mm) {
        await mm.notifiers.insert({ start: 0, last: 0xfffff }, { invalidate: (notifier) => notifier.readBegin().then(() => true) })
      },
    })
    await expect(replaying).rejects.toMatchObject({ code: 'LOCKDEP' })
  })

  test('an exec checkpoint may come before the line of the result', async () => {
    const { checkpoints, maps } = await replayed(folderOf({
      trace: '1 execve("/x", ["x"], 0x0 <unfinished ...>\n2 brk(NULL) = 0x1000\n1 <... execve resumed>) = 0\n1 munmap(0x10000, 4096) = 0',
      checkpoints: '# checkpoint 0 line=2 pid=1 kind=exec\n00010000-00012000 rw-p 00000000 00:00 0',
    }))
    expect(maps[1]).toEqual([rw('00011000-00012000')])
    expect(checkpoints.compared).toBe(0)
  })
})
