import { frameOf, PAGE_SIZE, specialKind, ZERO_FRAME, type Vma } from '@mmu-notifier/mm'
import type { Mirror, ProgramMachine, Results } from './program-machine.ts'
import { hexBytes } from './program-mirrors.ts'
import type { Json } from './program.ts'

const code = (char: string): number => char.charCodeAt(0)
const NONE = code('.')
const EXCLUSIVE_ANON = code('X')
const SHARED_ANON = code('p')
const FILE_ONCE = code('F')
const FILE_SHARED = code('f')
const SPECIAL = code('d')
const PROT_ERROR = 0xff
/** Two digits for each byte. */
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const CHARACTERS: readonly string[] = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
/** Of pages: joined with another range it is that one. */
const NOWHERE: readonly [number, number] = [Infinity, 0]

/** As the device was last looked at. */
interface Seen {
  /** Which open of it that was, and the version of its table. */
  mirror: Mirror | undefined
  version: number | undefined
  /** Bytes. */
  readonly snapshot: Uint8Array
  /** Characters. */
  readonly table: Uint8Array
}

/** What can be seen from outside of the window, page by page: the fields `pm`, `sn`, `pt` and `maps`. */
export class Observer {
  readonly #machine: ProgramMachine
  /** As it was last looked at: characters of pagemap. */
  readonly #pagemap: Uint8Array
  readonly #devices: readonly Seen[]
  /** The page table, and of each page the flags of its area; the version of either. */
  #entries: Int32Array
  #version: number | undefined
  #flags: Int32Array
  #areasVersion: number | undefined
  /** For what is looked at next. */
  readonly #next: Uint8Array
  #nextWords: Int32Array

  constructor(machine: ProgramMachine) {
    const { pages } = machine.header
    const filled = (value: number): Uint8Array => new Uint8Array(pages).fill(value)
    this.#machine = machine
    this.#pagemap = filled(NONE)
    this.#devices = [0, 1].map(() => ({ mirror: undefined, version: undefined, snapshot: filled(PROT_ERROR), table: filled(NONE) }))
    this.#entries = new Int32Array(pages)
    this.#flags = new Int32Array(pages)
    this.#next = filled(0)
    this.#nextWords = new Int32Array(pages)
  }

  /** Adds to `results` the runs of pages that have changed since the last call; fields without any are left out. */
  async changes(results: Results): Promise<void> {
    const { mirrors } = this.#machine
    const pm: Json[] = []
    const sn: Json[] = []
    const pt: Json[] = []
    const [first, end] = this.#mapped()
    this.#readPagemap(this.#next)
    addRuns(pm, this.#pagemap, this.#next, CHARACTERS)
    for (const [d, device] of this.#devices.entries()) {
      const mirror = mirrors[d]
      const opened = mirror !== device.mirror
      const version = mirror ? mirror.tableVersion : 0
      if (opened || version === undefined || version !== device.version) {
        this.#readTable(mirror, this.#next)
        addRuns(pt, device.table, this.#next, CHARACTERS, 0, d)
      }
      device.mirror = mirror
      device.version = version
      const from = opened ? 0 : first
      const to = opened ? this.#next.length : end
      if (!mirror || from >= to) continue
      // A snapshot has no effect on the program: it faults nothing in and emits no event; the log was taken before.
      const snapshot = this.#peek(mirror, from, to) ?? (await mirror.snapshot(this.#machine.address(from), to - from))
      addRuns(sn, device.snapshot, snapshot, HEX, from, d)
    }
    if (pm.length > 0) results['pm'] = pm
    if (sn.length > 0) results['sn'] = sn
    if (pt.length > 0) results['pt'] = pt
  }

  /** As it was at the last call of `changes`. */
  lastSnapshot(d: number, page: number): number {
    return this.#devices[d]?.snapshot[page] ?? PROT_ERROR
  }

  /** All of it, as it was at the last call of `changes`. */
  async state(): Promise<Results> {
    const { mirrors } = this.#machine
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
    return {
      maps: this.#maps(),
      pm: text(this.#pagemap),
      pt: this.#devices.map(({ table }) => text(table)),
      snap: this.#devices.map(({ snapshot }, d) => (mirrors[d] ? hexBytes(snapshot) : null)),
    }
  }

  /** Reads the areas and the page table, what may have changed of them. @returns the pages, the second exclusive, outside of which nothing has changed since the last call */
  #mapped(): readonly [number, number] {
    const { mm, header } = this.#machine
    const { pageTable } = mm
    let changed = NOWHERE
    if (mm.areasVersion !== this.#areasVersion) {
      const flags = this.#nextWords.fill(0)
      const pageOf = (address: number): number => Math.min(Math.max((address - header.base) / PAGE_SIZE, 0), flags.length)
      for (const vma of mm.vmas()) flags.fill(vma.flags, pageOf(vma.start), pageOf(vma.end))
      changed = differing(this.#flags, flags)
      this.#nextWords = this.#flags
      this.#flags = flags
      this.#areasVersion = mm.areasVersion
    }
    if (pageTable.version !== this.#version) {
      const entries = this.#nextWords
      pageTable.readRange(header.base, header.base + entries.length * PAGE_SIZE, entries)
      const [first, end] = differing(this.#entries, entries)
      if (first < end) changed = [Math.min(changed[0], first), Math.max(changed[1], end)]
      this.#nextWords = this.#entries
      this.#entries = entries
      this.#version = pageTable.version
    }
    return changed
  }

  #readPagemap(out: Uint8Array): void {
    const { frames } = this.#machine.memory
    const entries = this.#entries
    for (let page = 0; page < out.length; page++) {
      const entry = entries[page] ?? 0
      if (entry === 0) out[page] = NONE
      else if (specialKind(entry) !== 0) out[page] = SPECIAL
      else {
        const frame = frameOf(entry)
        const once = frame !== ZERO_FRAME && frames.mappings(frame) === 1
        const file = frames.reverse(frame)?.anonymous === false || frames.isHugeZero(frame)
        out[page] = file ? (once ? FILE_ONCE : FILE_SHARED) : once ? EXCLUSIVE_ANON : SHARED_ANON
      }
    }
  }

  #readTable(mirror: Mirror | undefined, out: Uint8Array): void {
    if (mirror?.lookRange) mirror.lookRange(this.#machine.header.base, out)
    else for (let page = 0; page < out.length; page++) out[page] = mirror ? code(mirror.look(this.#machine.address(page))) : NONE
  }

  /** What the device would show of the pages from `from` to `to`, if it can tell it at once. */
  #peek(mirror: Mirror, from: number, to: number): Uint8Array | undefined {
    if (!mirror.peek) return undefined
    const out = this.#next.subarray(0, to - from)
    mirror.peek(this.#machine.address(from), out)
    return out
  }

  #maps(): Json[] {
    const { header, mm, files } = this.#machine
    const end = header.base + header.pages * PAGE_SIZE
    const lines: Json[] = []
    for (const vma of mm.vmas()) {
      if (vma.end <= header.base || vma.start >= end) continue
      const file = vma.file ? files.indexOf(vma.file) : -1
      const kind = !vma.file ? 'anon' : file === -1 ? 'shm' : `file${file}`
      lines.push([(vma.start - header.base) / PAGE_SIZE, (vma.end - header.base) / PAGE_SIZE, permissions(vma), vma.offset / PAGE_SIZE, kind])
    }
    return lines
  }
}

function permissions({ prot, shared }: Vma): string {
  return `${prot & 1 ? 'r' : '-'}${prot & 2 ? 'w' : '-'}${prot & 4 ? 'x' : '-'}${shared ? 's' : 'p'}`
}

/** The range, half open, outside of which both are the same. */
function differing(a: Int32Array, b: Int32Array): readonly [number, number] {
  let from = 0
  let to = a.length
  while (from < to && a[from] === b[from]) from++
  if (from === to) return NOWHERE
  while (a[to - 1] === b[to - 1]) to--
  return [from, to]
}

/**
 * Makes `old`, from `offset` on, what `now` is, and adds the runs of changed pages with the same new value to `rows`: first page, end, text.
 * @param device what a row begins with, if it does
 */
function addRuns(rows: Json[], old: Uint8Array, now: Uint8Array, texts: readonly string[], offset = 0, device?: number): void {
  for (let i = 0; i < now.length; ) {
    const value = now[i] as number
    if (old[offset + i] === value) {
      i++
      continue
    }
    const first = offset + i
    do old[offset + i++] = value
    while (i < now.length && now[i] === value && old[offset + i] !== value)
    const text = texts[value] ?? ''
    rows.push(device === undefined ? [first, offset + i, text] : [device, first, offset + i, text])
  }
}
