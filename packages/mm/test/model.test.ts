import type { IntervalNotifier } from '@mmu-notifier/core'
import { expect, test } from 'vitest'
import {
  frameOf, MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, MREMAP_FIXED, MREMAP_MAYMOVE, PFN_SHIFT, PFN_WRITE,
  PTE_PRESENT, PTE_WRITE, type Mm, type VmFile,
} from '../src/index.ts'
import { FlatMm, type FlatFile } from './flat-model.ts'
import { bytes, machine, maps, outcome, page, pages, peek, pick, poke, random } from './helpers.ts'

const WINDOW = 40
const FILE_PAGES = 12

/** A device that keeps what `rangeFault` told it until an invalidation takes it away: it checks that it is told of everything. */
class Mirror {
  readonly #mm: Mm
  readonly #entries = new Map<number, number>()
  #notifier: IntervalNotifier | undefined

  constructor(mm: Mm) {
    this.#mm = mm
  }

  async attach(): Promise<this> {
    this.#notifier = await this.#mm.notifiers.insert({ start: page(0), last: page(WINDOW) - 1 }, {
      invalidate: async (notifier, range, seq) => {
        await notifier.setSeq(seq)
        for (const n of this.#entries.keys()) if (page(n) < range.end && page(n + 1) > range.start) this.#entries.delete(n)
        return true
      },
    })
    return this
  }

  async fault(first: number, count: number, access: 'read' | 'write'): Promise<void> {
    const notifier = this.#notifier
    if (!notifier) return
    const seq = await notifier.readBegin()
    const result = await outcome(this.#mm.rangeFault({ notifier, seq, start: page(first), end: page(first + count), access }).then((r) => {
      if (r !== 'busy') r.pfns.forEach((pfn, i) => this.#entries.set(first + i, pfn))
    }))
    expect(['EFAULT', 'EPERM', undefined]).toContain(result)
  }

  /** The device's entries are a subset of the CPU's. */
  check(): void {
    for (const [n, pfn] of this.#entries) {
      const entry = this.#mm.pageTable.get(page(n))
      const same = frameOf(entry) === pfn >> PFN_SHIFT && (entry & PTE_PRESENT) !== 0 && (!(pfn & PFN_WRITE) || (entry & PTE_WRITE) !== 0)
      expect(same, `page ${n} of ${this.#mm.name}: the device has ${pfn.toString(16)}, the CPU ${entry.toString(16)}`).toBe(true)
    }
  }

  holds(frame: number): boolean {
    return [...this.#entries.values()].some((pfn) => pfn >> PFN_SHIFT === frame)
  }
}

/** An address space, what it should be, and a device on it. */
interface Pair {
  readonly mm: Mm
  readonly flat: FlatMm
  readonly mirror: Mirror
}

const nothing = (): undefined => undefined
const MOVE_TO = MREMAP_MAYMOVE | MREMAP_FIXED

/** One random program: a few processes and a file, each call on both sides. */
class Program {
  readonly #draw: (n: number) => number
  readonly #memory = machine()
  readonly #file: VmFile = this.#memory.createFile({ name: 'f', size: pages(FILE_PAGES) })
  readonly #flatFile: FlatFile = { name: 'f', size: FILE_PAGES, bytes: new Map() }
  #live: Pair[] = []
  #log = ''

  constructor(seed: number) {
    this.#draw = random(seed)
    this.#memory.kernel.on('mm:frame_free', (frame) => {
      const stale = this.#live.find(({ mirror }) => mirror.holds(frame))
      if (stale) throw new Error(`STALE  the device of ${stale.mm.name} maps frame ${frame}, freed by ${this.#log}`)
    })
  }

  async run(seed: number, steps: number): Promise<void> {
    await this.#begin(this.#memory.createMm('mm'), new FlatMm())
    for (let step = 0; step < steps; step++) {
      const pair = pick(this.#draw, this.#live)
      this.#log = `seed ${seed} step ${step}, ${pair.mm.name}: `
      await this.#step(pair)
      await this.#check(step % 8 === 0)
    }
    for (const { mm } of this.#live) await mm.exit()
    await this.#file.unlink()
    expect(this.#memory.frames.used, `seed ${seed}: frames leak`).toBe(1)
  }

  async #begin(mm: Mm, flat: FlatMm): Promise<void> {
    this.#live.push({ mm, flat, mirror: await new Mirror(mm).attach() })
  }

  async #exit(mm: Mm): Promise<void> {
    await mm.exit()
    this.#live = this.#live.filter((pair) => pair.mm !== mm)
  }

  async #step({ mm, flat, mirror }: Pair): Promise<void> {
    const draw = this.#draw
    const n = draw(WINDOW)
    const count = 1 + draw(Math.min(8, WINDOW - n))
    const to = draw(WINDOW - 8)
    const newCount = 1 + draw(8)
    const prot = pick(draw, [0, 1, 3, 3, 3, 2, 5])
    const byte = 1 + draw(255)
    const index = draw(FILE_PAGES)
    const at = page(n)
    const size = pages(count)
    const room = Math.min(newCount, WINDOW - n)
    const map = (flags: number): Promise<unknown> => mm.mmap(at, size, prot, flags | MAP_FIXED, this.#file, pages(index)).then(nothing)
    const mremap = (then: number, flags: number): Promise<unknown> => mm.mremap(at, size, pages(then), flags, page(to)).then(nothing)
    const calls: readonly [weight: number, name: string, expected: () => unknown, actual: () => Promise<unknown>][] = [
      [3, 'mmap', () => flat.mapAnonymous(n, count, prot), () => map(MAP_PRIVATE | MAP_ANONYMOUS)],
      [1, 'mmap shared', () => flat.mapShared(n, count, prot), () => map(MAP_SHARED | MAP_ANONYMOUS)],
      [2, 'mmap private file', () => flat.mapFile(n, count, prot, false, this.#flatFile, index), () => map(MAP_PRIVATE)],
      [1, 'mmap shared file', () => flat.mapFile(n, count, prot, true, this.#flatFile, index), () => map(MAP_SHARED)],
      [1, 'munmap', () => flat.unmap(n, count), () => mm.munmap(at, size)],
      [2, 'mprotect', () => flat.protect(n, count, prot), () => mm.mprotect(at, size, prot)],
      [1, 'MADV_DONTNEED', () => flat.dontNeed(n, count), () => mm.madvise(at, size, MADV_DONTNEED)],
      [2, 'mremap to', () => flat.move(n, count, newCount, to), () => mremap(newCount, MOVE_TO)],
      [1, 'mremap', () => flat.resize(n, count, room), () => mremap(room, 0)],
      [4, 'write', () => flat.write(n, byte), () => poke(mm, n, byte)],
      [2, 'read', () => flat.read(n), () => peek(mm, n)],
      [3, 'device', nothing, () => mirror.fault(n, count, draw(2) === 0 || flat.hasPrivateFile(n, count) ? 'read' : 'write')],
      [1, 'fork', nothing, async () => { if (this.#live.length < 4) await this.#begin(await mm.fork(`${mm.name}.${n}`), flat.fork()) }],
      [1, 'exit', nothing, async () => { if (this.#live.length > 1) await this.#exit(mm) }],
      [1, 'file', nothing, () => this.#changeFile(index, count)],
    ]
    const bag = calls.flatMap((call) => Array.from({ length: call[0] }, () => call))
    const [, name, expected, actual] = pick(draw, bag)
    this.#log += `${name} ${n}+${count} to ${to}+${newCount}, prot ${prot}, byte ${byte}, index ${index}`
    expect(await outcome(actual()), this.#log).toEqual(expected())
  }

  /** The maps and the devices always; the bytes, whose reading faults them in, when asked for. */
  async #check(readsAll: boolean): Promise<void> {
    for (const { mm, flat, mirror } of this.#live) {
      expect(maps(mm), this.#log).toBe(flat.maps())
      mirror.check()
      for (let n = 0; readsAll && n < WINDOW; n++) {
        expect(await outcome(peek(mm, n)), `${this.#log}; page ${n} of ${mm.name}`).toBe(flat.read(n))
      }
    }
  }

  async #changeFile(index: number, count: number): Promise<void> {
    const file = this.#flatFile
    const choice = this.#draw(4)
    if (choice < 2 && index < file.size) {
      file.bytes.set(index, 100 + index)
      await this.#file.write(pages(index), bytes(100 + index))
    } else if (choice === 2) {
      for (let i = index; i < index + count; i++) file.bytes.delete(i)
      await this.#file.punchHole(pages(index), pages(count))
    } else {
      file.size = index + 1
      for (const i of [...file.bytes.keys()]) if (i >= file.size) file.bytes.delete(i)
      for (const { flat } of this.#live) flat.truncated(file)
      await this.#file.truncate(pages(file.size))
    }
  }
}

test.each(Array.from({ length: 20 }, (_, i) => 1000 + i))('agrees with a flat model, seed %d', (seed) => new Program(seed).run(seed, 300))
