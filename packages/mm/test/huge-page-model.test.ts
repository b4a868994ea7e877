import { expect, test } from 'vitest'
import {
  MADV_COLD, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MREMAP_DONTUNMAP, MREMAP_FIXED,
  MREMAP_MAYMOVE, type Mm, type PhysicalMemory,
} from '../src/index.ts'
import { checkFrames } from './check-frames.ts'
import { TestDevice } from './device-pages.ts'
import { anon, machine, maps, outcome, page, pages, peek, pick, poke, random } from './helpers.ts'

const SEEDS = Number(process.env['MM_SEEDS'] ?? 8)
const BLOCK = 512
const WINDOW = 4 * BLOCK

/** A machine with a device, some processes, and the same done to each of two machines. */
class Side {
  readonly memory: PhysicalMemory
  readonly device: TestDevice
  mms: Mm[]

  constructor(transparentHugepage: 'always' | 'never') {
    this.memory = machine({ transparentHugepage })
    this.device = new TestDevice(this.memory, 2 * WINDOW)
    this.mms = [this.memory.createMm('mm')]
  }
}

type Call = (mm: Mm, side: Side) => Promise<unknown>

async function take(mm: Mm, first: number, count: number): Promise<void> {
  await mm.mmapRead(async () => {
    await (await mm.makeDeviceExclusive(page(first), page(first + count))).release()
  })
}

interface Step {
  readonly name: string
  readonly first: number
  readonly count: number
  readonly call: Call
}

/** One end of the range, at least, is often aligned. */
function range(draw: (n: number) => number): [first: number, count: number] {
  const aligned = draw(2) === 0
  const first = aligned ? BLOCK * draw(4) : draw(WINDOW - 1)
  const most = Math.min(WINDOW - first, 2 * BLOCK)
  return [first, aligned && draw(2) === 0 ? Math.min(BLOCK, most) : 1 + draw(most)]
}

function call(draw: (n: number) => number): Step {
  const [n, count] = range(draw)
  const [to] = range(draw)
  const byte = 1 + draw(255)
  const prot = pick(draw, [0, 1, 3, 3, 3])
  const advice = pick(draw, [
    MADV_COLD, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
  ])
  const dontUnmap = draw(3) === 0 ? MREMAP_DONTUNMAP : 0
  const few = Math.min(count, 1 + draw(6))
  const calls: readonly [weight: number, name: string, call: Call][] = [
    [3, 'mmap', (mm) => anon(mm, n, count, prot)],
    [1, 'munmap', (mm) => mm.munmap(page(n), pages(count))],
    [3, 'mprotect', (mm) => mm.mprotect(page(n), pages(count), prot)],
    [4, `madvise ${advice}`, (mm) => mm.madvise(page(n), pages(count), advice)],
    [3, `mremap ${dontUnmap}`, (mm) => mm.mremap(page(n), pages(count), pages(count), MREMAP_MAYMOVE | MREMAP_FIXED | dontUnmap, page(to))],
    [8, 'write', async (mm) => { for (let i = 0; i < few; i++) await poke(mm, n + i, byte) }],
    [3, 'read', (mm) => peek(mm, n)],
    [3, 'to the device', async (mm, { device }) => { await device.take(mm, n, few) }],
    [2, 'to RAM', async (mm, { device }) => { await device.giveBack(mm, n, count) }],
    [2, 'exclusive', (mm) => take(mm, n, few)],
    [1, 'fork', async (mm, side) => { if (side.mms.length < 3) side.mms.push(await mm.fork('child')) }],
    [1, 'exit', async (mm, side) => {
      if (side.mms.length === 1) return
      side.mms = side.mms.filter((other) => other !== mm)
      await mm.exit()
    }],
  ]
  const [, name, chosen] = pick(draw, calls.flatMap((one) => Array.from({ length: one[0] }, () => one)))
  return { name: `${name} ${n}+${count} (${few}) to ${to}, prot ${prot}, byte ${byte}`, first: n, count, call: chosen }
}

/** How many areas there are may differ: a read fault that maps a huge page keeps an area from joining others, as it gets an anonVma. */
function inOneArea(mm: Mm, { first, count }: Step): boolean {
  const area = mm.findVma(page(first))
  return area !== undefined && area.end >= page(first + count)
}

/** What a program cannot see: with huge pages the same bytes, errors and areas as without, and every frame is counted right at any time. */
async function compare(seed: number, steps: number): Promise<void> {
  const draw = random(seed)
  const sides = [new Side('always'), new Side('never')] as const
  for (const { mms } of sides) for (const mm of mms) await anon(mm, 0, WINDOW)
  for (let step = 0; step < steps; step++) {
    const process = draw(sides[0].mms.length)
    const done = call(draw)
    const log = `seed ${seed} step ${step}, process ${process}: ${done.name}`
    const [a, b] = sides.map(({ mms }) => mms[process] as Mm) as [Mm, Mm]
    if (inOneArea(a, done) !== inOneArea(b, done)) continue
    const results = [await outcome(done.call(a, sides[0])), await outcome(done.call(b, sides[1]))]
    expect(results[0], log).toEqual(results[1])
    for (const { mms } of sides) expect(() => checkFrames(...mms), log).not.toThrow()
    for (const [i, mm] of sides[0].mms.entries()) expect(maps(mm), log).toBe(maps(sides[1].mms[i] as Mm))
    const n = draw(WINDOW)
    const seen = await Promise.all(sides.map(({ mms }) => outcome(peek(mms[0] as Mm, n))))
    expect(seen[0], `${log}; page ${n}`).toEqual(seen[1])
  }
  for (const [i, mm] of sides[0].mms.entries()) {
    for (let n = 0; n < WINDOW; n++) expect(await outcome(peek(mm, n)), `seed ${seed}, page ${n}`).toEqual(await outcome(peek(sides[1].mms[i] as Mm, n)))
  }
  for (const { mms, memory, device } of sides) {
    for (const mm of mms) await mm.exit()
    expect([memory.frames.used, device.free.length], `seed ${seed}: frames leak`).toEqual([1, 2 * WINDOW])
  }
}

test('a program cannot tell huge pages from small ones', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await compare(seed, 40)
})
