import { createKernel } from '@mmu-notifier/kernel'
import { MADV_POPULATE_WRITE, MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'
import { DmirrorDevice } from '@mmu-notifier/driver-selftest'
import { measure, median } from './measure.js'

const PAGES = 2 ** 18
/** Pages of one READ command. */
const READ = 64
const ROUNDS = 5

/** Bytes that this process uses: what the collector leaves of the heap, and buffers outside of it. */
function used() {
  for (let i = 0; i < 2; i++) globalThis.gc?.() // the first one leaves what finalizers hold
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

async function round() {
  const before = used()
  const memory = new PhysicalMemory(createKernel())
  const mm = memory.createMm('mirrored')
  const device = new DmirrorDevice(memory, { pages: 1 })
  const dmirror = await device.open(mm)
  const start = await mm.mmap(0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
  const populate = await measure(() => mm.madvise(start, PAGES * PAGE_SIZE, MADV_POPULATE_WRITE))
  const read = await measure(async () => {
    for (let page = 0; page < PAGES; page += READ) await dmirror.read(start + page * PAGE_SIZE, READ)
  })
  const tables = mm.pageTable.byteLength + dmirror.tableBytes + memory.frames.byteLength
  const resident = used() - before
  const munmap = await measure(() => mm.munmap(start, PAGES * PAGE_SIZE))
  if (memory.frames.used !== 1) throw new Error(`${memory.frames.used} frames are in use at the end`)
  return { populate: populate.time, read: read.time, munmap: munmap.time, tables, resident }
}

/** A mirror of 1 GiB without data. @returns nanoseconds of CPU time, and bytes, a page: medians */
export async function mirrorGigabyte() {
  const rounds = []
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round())
  /** @param {keyof typeof rounds[number]} key */
  const of = (key) => median(rounds.map((one) => one[key])) / PAGES
  return { populate: 1e3 * of('populate'), read: 1e3 * of('read'), munmap: 1e3 * of('munmap'), tables: of('tables'), resident: of('resident') }
}
