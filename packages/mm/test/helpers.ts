import { createKernel, isMmuNotifierError, MmuNotifierError } from '@mmu-notifier/kernel'
import type { IntervalNotifierOps, InvalidateRange } from '@mmu-notifier/core'
import {
  MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PAGE_SIZE, PhysicalMemory, PROT_EXEC, PROT_READ, PROT_WRITE, VM_GROWSDOWN, type Mm,
  type PhysicalMemoryOptions, type Vma, type VmFile,
} from '../src/index.ts'

export const RW = PROT_READ | PROT_WRITE
/** Where tests map: page `n` of the window. */
export const BASE = 0x100000000
export const page = (n: number): number => BASE + n * PAGE_SIZE
export const pages = (n: number): number => n * PAGE_SIZE

/** Whatever a test does on it, who invalidates an address space holds its mmap lock or its rmap lock: the first registration of an address space relies on that. */
export function machine(options?: PhysicalMemoryOptions): PhysicalMemory {
  const kernel = createKernel()
  kernel.on('mmu_notifier:range_start', ({ event }, { operations: { mm } }) => {
    const { name, held } = kernel.current
    if (event === 'release' || held.some(({ instance }) => instance === mm.mmapLock || instance === mm.rmapLock)) return
    throw new Error(`task ${name} invalidates (${event}) without the mmap lock and the rmap lock`)
  })
  return new PhysicalMemory(kernel, options)
}

/** There are `count` frames left from now on. @returns makes memory plentiful again */
export function leaveFrames({ frames }: PhysicalMemory, count: number): () => void {
  const allocate = frames.allocate.bind(frames)
  let left = count
  frames.allocate = () => {
    if (left-- > 0) return allocate()
    throw new MmuNotifierError('ENOMEM', 'ENOMEM  allocate: the test has left none')
  }
  return () => { frames.allocate = allocate }
}

export function newMm(name = 'mm'): Mm {
  return machine().createMm(name)
}

/** Private anonymous memory at pages `[first, first + count)` of the window. */
export async function anon(mm: Mm, first: number, count: number, prot = RW, flags = 0): Promise<number> {
  return mm.mmap(page(first), pages(count), prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags)
}

export async function sharedAnon(mm: Mm, first: number, count: number, prot = RW): Promise<number> {
  return mm.mmap(page(first), pages(count), prot, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
}

/** @param offset in pages */
export async function mapFile(mm: Mm, first: number, count: number, file: VmFile, type = MAP_SHARED, offset = 0): Promise<number> {
  return mm.mmap(page(first), pages(count), RW, type | MAP_FIXED, file, pages(offset))
}

const inWindow = (address: number): string => {
  const n = (address - BASE) / PAGE_SIZE
  return Number.isInteger(n) && n >= 0 && n < 0x100000 ? String(n) : `0x${address.toString(16)}`
}

/**
 * The map in one line: `0-3 rw-p, 3-4 r--s file+1`; pages of the window as their numbers. Neighbours that differ in their private pages alone are one: how many
 * lines Linux shows depends on page faults (see `anon-vma.test.ts`).
 */
export function maps(mm: Mm): string {
  return joined(mm)
    .map(({ start, end, prot, shared, file, offset, flags }) => {
      const perms = `${prot & PROT_READ ? 'r' : '-'}${prot & PROT_WRITE ? 'w' : '-'}${prot & PROT_EXEC ? 'x' : '-'}${shared ? 's' : 'p'}`
      const backing = file ? ` ${file.name}+${offset / PAGE_SIZE}` : ''
      return `${inWindow(start)}-${inWindow(end)} ${perms}${backing}${flags & VM_GROWSDOWN ? ' gd' : ''}`
    })
    .join(', ')
}

function joined(mm: Mm): Vma[] {
  const areas: Vma[] = []
  for (const { start, end, prot, shared, file, offset, flags } of mm.vmas()) {
    const last = areas.at(-1)
    const continues =
      last?.end === start && last.flags === flags && last.file === file && file?.kind !== 'special' && (!file || last.offset + start - last.start === offset)
    if (last && continues) areas.pop()
    areas.push({ start: last && continues ? last.start : start, end, prot, shared, file, offset: last && continues ? last.offset : offset, flags })
  }
  return areas
}

/** The code of the error that a call fails with, or what it returns. */
export async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call
  } catch (error) {
    if (isMmuNotifierError(error)) return error.code
    if (error instanceof RangeError || error instanceof TypeError) return error.name
    throw error
  }
}

/** Records every invalidation of an address space from now on: `clear 0-2`. @returns takes what came since */
export async function recordEvents(mm: Mm): Promise<() => string> {
  let events: string[] = []
  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range: InvalidateRange, seq) {
      await notifier.setSeq(seq)
      events.push(range.end >= 2 ** 53 - 1 ? range.event : `${range.event} ${inWindow(range.start)}-${inWindow(range.end)}`)
      return true
    },
  }
  await mm.notifiers.insert({ start: 0, last: Number.MAX_SAFE_INTEGER }, ops)
  return () => {
    const taken = events.join(', ')
    events = []
    return taken
  }
}

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** The first byte of a page of the window. */
export async function peek(mm: Mm, n: number): Promise<number | undefined> {
  return (await mm.read(page(n), 1))[0]
}

export async function poke(mm: Mm, n: number, value: number): Promise<void> {
  await mm.write(page(n), bytes(value))
}

/** mulberry32 (Tommy Ettinger, public domain). @returns draws of whole numbers in 0 .. n - 1 */
export function random(seed: number): (n: number) => number {
  let state = seed | 0
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n)
  }
}

/** One element, at random. */
export function pick<T>(draw: (n: number) => number, list: readonly T[]): T {
  const found = list[draw(list.length)]
  if (found === undefined) throw new RangeError('nothing to pick from')
  return found
}
