import { frameOf, PAGE_SIZE, specialKind, ZERO_FRAME, type Vma } from '@mmu-notifier/mm'
import type { ProgramMachine, Results } from './program-machine.ts'
import { HEX, hexBytes } from './program-mirrors.ts'
import type { Json } from './program.ts'

const code = (char: string): number => char.charCodeAt(0)
const NONE = code('.')
const EXCLUSIVE_ANON = code('X')
const SHARED_ANON = code('p')
const FILE_ONCE = code('F')
const FILE_SHARED = code('f')
const SPECIAL = code('d')
const PROT_ERROR = 0xff

/** What can be seen from outside of the window, page by page: the fields `pm`, `sn`, `pt` and `maps`. */
export class Observer {
  readonly #machine: ProgramMachine
  /** As it was last looked at: characters of pagemap; bytes of snapshots; characters of the device tables. */
  readonly #pagemap: Uint8Array
  readonly #devices: readonly { readonly snapshot: Uint8Array; readonly table: Uint8Array }[]
  readonly #next: Uint8Array
  readonly #nextSnapshot: Uint8Array
  /** Of the page table. */
  readonly #entries: Int32Array

  constructor(machine: ProgramMachine) {
    const { pages } = machine.header
    const filled = (value: number): Uint8Array => new Uint8Array(pages).fill(value)
    this.#machine = machine
    this.#pagemap = filled(NONE)
    this.#devices = [0, 1].map(() => ({ snapshot: filled(PROT_ERROR), table: filled(NONE) }))
    this.#next = filled(0)
    this.#nextSnapshot = filled(0)
    this.#entries = new Int32Array(pages)
  }

  /** Adds to `results` the runs of pages that have changed since the last call; fields without any are left out. */
  async changes(results: Results): Promise<void> {
    const { mirrors, header } = this.#machine
    const pm: Json[] = []
    const sn: Json[] = []
    const pt: Json[] = []
    this.#readPagemap(this.#next)
    runs(this.#pagemap, this.#next, (from, to, value) => pm.push([from, to, String.fromCharCode(value)]))
    for (const [d, device] of this.#devices.entries()) {
      const mirror = mirrors[d]
      let snapshot: Uint8Array | undefined
      if (mirror?.peek) mirror.peek(header.base, this.#next, (snapshot = this.#nextSnapshot))
      else {
        // Without effect on the program: it faults nothing in and emits no event; the log is taken before.
        snapshot = await mirror?.snapshot(header.base, header.pages)
        for (let page = 0; page < this.#next.length; page++) this.#next[page] = mirror ? code(mirror.look(this.#machine.address(page))) : NONE
      }
      if (snapshot) runs(device.snapshot, snapshot, (from, to, value) => sn.push([d, from, to, HEX[value] ?? '']))
      runs(device.table, this.#next, (from, to, value) => pt.push([d, from, to, String.fromCharCode(value)]))
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

  #readPagemap(out: Uint8Array): void {
    const { mm, memory, header } = this.#machine
    const { frames } = memory
    const entries = this.#entries
    mm.pageTable.readRange(header.base, header.base + out.length * PAGE_SIZE, entries)
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

/** Makes `old` what `now` is, and tells the runs of changed pages with the same new value. */
function runs(old: Uint8Array, now: Uint8Array, tell: (from: number, to: number, value: number) => void): void {
  if (Buffer.compare(old, now) === 0) return
  for (let page = 0; page < old.length; page++) {
    const value = now[page] ?? 0
    if (old[page] === value) continue
    const from = page
    while (page < old.length && old[page] !== value && now[page] === value) old[page++] = value
    tell(from, page, value)
    page--
  }
}
