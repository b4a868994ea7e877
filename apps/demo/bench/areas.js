import { createKernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_PRIVATE, MAP_FIXED, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'
import { measure, median } from './measure.js'

const ROUNDS = 9
const WARM_UP = 2
const TURNS = 2000
const ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
const BASE = 2 ** 32

/** An address space with `count` areas of a page, and a hole of one behind each. @param {number} count */
async function fill(count) {
  const mm = new PhysicalMemory(createKernel()).createMm(`${count} areas`)
  await mm.notifiers.insert({ start: 0, last: Number.MAX_SAFE_INTEGER }, {
    async invalidate(notifier, _, seq) {
      await notifier.setSeq(seq)
      return true
    },
  })
  for (let i = 0; i < count; i++) await mm.mmap(BASE + 2 * i * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE, ANONYMOUS)
  return mm
}

/** mmap, a write fault and munmap of a page in the holes, all over the address space. @param {Awaited<ReturnType<typeof fill>>} mm @param {number} count */
async function turns(mm, count) {
  for (let i = 0; i < TURNS; i++) {
    const address = BASE + (2 * ((i * 7919) % count) + 1) * PAGE_SIZE
    await mm.mmap(address, PAGE_SIZE, PROT_READ, ANONYMOUS)
    await mm.fault(address, 'read')
    await mm.munmap(address, PAGE_SIZE)
  }
}

/** @param {readonly number[]} counts @returns {Promise<number[]>} microseconds of CPU time a turn, with so many areas */
export async function costByAreas(counts) {
  const spaces = []
  for (const count of counts) spaces.push(await fill(count))
  /** @type {number[][]} */
  const times = counts.map(() => [])
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const [i, mm] of spaces.entries()) {
      const { time } = await measure(() => turns(mm, counts[i]))
      if (round >= WARM_UP) times[i].push(time / TURNS)
    }
  }
  return times.map(median)
}
