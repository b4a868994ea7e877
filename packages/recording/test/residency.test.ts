import { join } from 'node:path'
import { frameOf, PAGE_SIZE, ZERO_FRAME, type Mm } from '@mmu-notifier/mm'
import { expect, test } from 'vitest'
import { readLines } from '../src/index.ts'
import { FIXTURES, replayed } from './helpers.ts'

/**
 * How many pages of each private range of a checkpoint are anonymous, by the kernel's account; the key is `number start-end`. Not of the stack, into which
 * execve copies the arguments without a page fault.
 */
async function anonymousPages(name: string): Promise<Map<string, number>> {
  const pages = new Map<string, number>()
  let checkpoint = ''
  let range = ''
  for await (const { lines } of readLines(join(FIXTURES, name, 'checkpoints.smaps.gz'))) {
    for (const line of lines) {
      checkpoint = /^# checkpoint (\d+)/.exec(line)?.[1] ?? checkpoint
      const header = /^([0-9a-f]+-[0-9a-f]+) (....)/.exec(line)
      if (header) range = header[2]?.endsWith('p') === true && !/\[(stack|vsyscall)\]$/.test(line) ? `${checkpoint} ${header[1] ?? ''}` : ''
      const size = /^Anonymous: +(\d+) kB/.exec(line)?.[1]
      if (size !== undefined && range !== '') pages.set(range, (Number(size) * 1024) / PAGE_SIZE)
    }
  }
  return pages
}

/** Pages in `[start, end)` that are neither the zero page nor one of a file. */
function anonymousIn(mm: Mm, start: number, end: number): number {
  let pages = 0
  mm.pageTable.forEachInRange(start, end, (address, entry) => {
    const vma = mm.findVma(address)
    const cached = vma?.file?.cache.get((vma.offset + address - vma.start) / PAGE_SIZE)
    if (frameOf(entry) !== ZERO_FRAME && frameOf(entry) !== cached) pages++
  })
  return pages
}

/** mlockall filled a private mapping up to the end of its file, which ftruncate had set; for the model, files of a recording have no end. */
const BEHIND_THE_END = [['17 7fbf1a7f7000-7fbf1a803000', 12, 4], ['18 7fbf1a7f7000-7fbf1a803000', 12, 4]]

test.each([['sh-pipe', []], ['vmops', BEHIND_THE_END]])('%s: page faults and calls predict which pages are private to a process', async (name, exceptions) => {
  const kernel = await anonymousPages(name)
  const model = new Map<string, number>()
  const spaces = new Map<number, Mm>()
  await replayed(join(FIXTURES, name), {
    mmCreated: (mm, processId) => void spaces.set(processId, mm),
    checkpoint({ outcome, checkpoint: { number, process } }) {
      const mm = spaces.get(process)
      if (!mm || outcome === 'started') return // what execve itself has touched by then nobody timed
      for (const range of kernel.keys()) {
        const [of, start = '', end = ''] = range.split(/[ -]/)
        if (Number(of) === number) model.set(range, anonymousIn(mm, parseInt(start, 16), parseInt(end, 16)))
      }
    },
  })
  expect([...model].filter(([range, pages]) => kernel.get(range) !== pages).map(([range, pages]) => [range, pages, kernel.get(range)])).toEqual(exceptions)
  expect(model.size).toBeGreaterThan(100)
})
