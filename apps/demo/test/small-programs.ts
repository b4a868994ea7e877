import { checkLeaks, CoverOracle, StaleOracle, throwViolation } from '@mmu-notifier/driver'
import { DmirrorDevice, type Dmirror, type DmirrorForm } from '@mmu-notifier/driver-selftest'
import type { Scenario } from '@mmu-notifier/explore'
import { isErrno, type Kernel } from '@mmu-notifier/kernel'
import { MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm, type Userfaultfd } from '@mmu-notifier/mm'

const BASE = 0x200000000
const RW = PROT_READ | PROT_WRITE
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED

/** `npm run exhaust`: what takes minutes is explored to the end. */
export const ALL = process.env['DEMO_EXPLORED'] === 'all'

/** How to explore what takes minutes: a sample, unless {@link ALL}. */
export const LONG = ALL
  ? ({ strategy: 'dpor', budget: 1_000_000, timeout: 3_600_000 } as const)
  : ({ strategy: 'portfolio', budget: 2_000, timeout: 300_000, atLeast: 'sampled' } as const)

/** A process of few pages, mirrored by devices, with the oracles on. */
export interface Machine {
  readonly kernel: Kernel
  readonly mm: Mm
  readonly mirrors: readonly Dmirror[]
  /** Those that a step has closed. */
  readonly closed: Set<Dmirror>
  /** Those that a step has forked, and none has ended. */
  readonly children: Mm[]
  /** Of the pages at the start. */
  readonly pages: number
  /** Brings the pages, which are missing at the start. */
  readonly uffd?: Userfaultfd
}

/** What a task does; an errno is part of what may happen. */
export interface Step {
  readonly name: string
  readonly run: (machine: Machine) => Promise<unknown>
}

export const page = (n: number): number => BASE + n * PAGE_SIZE

/** A command of device `d` for pages `[first, first + count)`. */
function command(name: string, run: (mirror: Dmirror, address: number, count: number, first: number) => Promise<unknown>) {
  return (d: number, first: number, count: number): Step => ({
    name: `${name} ${d}:${first}+${count}`,
    async run({ mirrors }) {
      const mirror = mirrors[d]
      if (!mirror) throw new RangeError(`no device ${d}`)
      return run(mirror, page(first), count, first)
    },
  })
}

/** What the CPU does to the same pages. */
function onCpu(name: string, run: (mm: Mm, address: number, length: number, first: number) => Promise<unknown>) {
  return (first: number, count: number): Step => ({ name: `${name} ${first}+${count}`, run: ({ mm }) => run(mm, page(first), count * PAGE_SIZE, first) })
}

/** As they are told apart: the first byte of page n is n + 1, whoever writes it. */
const bytesOf = (first: number, count: number): Uint8Array => {
  const bytes = new Uint8Array(count * PAGE_SIZE)
  for (let i = 0; i < count; i++) bytes[i * PAGE_SIZE] = first + i + 1
  return bytes
}

export const DEVICE_STEPS = {
  read: command('read', async (mirror, address, count, first) => { checkRead((await mirror.read(address, count)).bytes, first) }),
  readUnlocked: command('readUnlocked', async (mirror, address, count, first) => { checkRead((await mirror.readUnlocked(address, count)).bytes, first) }),
  write: command('write', (mirror, address, count, first) => mirror.write(address, bytesOf(first, count))),
  snapshot: command('snapshot', (mirror, address, count) => mirror.snapshot(address, count)),
  toDevice: command('toDevice', async (mirror, address, count, first) => { checkRead(await mirror.migrateToDevice(address, count), first) }),
  toSystem: command('toSystem', (mirror, address, count) => mirror.migrateToSystem(address, count)),
  exclusive: command('exclusive', async (mirror, address, count, first) => { checkRead(await mirror.exclusive(address, count), first) }),
}

/** The process closes device `d`; no other command of it may come. */
export const close = (d: number): Step => ({
  name: `close ${d}`,
  async run({ mirrors, closed }) {
    const mirror = mirrors[d]
    if (!mirror) throw new RangeError(`no device ${d}`)
    closed.add(mirror)
    await mirror.close()
  },
})

export const CPU_STEPS = {
  touch: onCpu('touch', (mm, address) => mm.read(address, 1)),
  poke: onCpu('poke', (mm, address, _, first) => mm.write(address, Uint8Array.of(first + 1))),
  unmap: onCpu('unmap', (mm, address, length) => mm.munmap(address, length)),
  protect: onCpu('protect', (mm, address, length) => mm.mprotect(address, length, PROT_READ)),
  discard: onCpu('discard', (mm, address, length) => mm.madvise(address, length, MADV_DONTNEED)),
  exit: { name: 'exit', run: ({ mm }) => mm.exit() } satisfies Step,
  remap: onCpu('remap', (mm, address, length) => mm.mmap(address, length, RW, FIXED)),
}

export const CHILD_STEPS = {
  fork: { name: 'fork', run: async ({ mm, children }) => children.push(await mm.fork('child')) } satisfies Step,
  /** The last child unmaps page 0, and ends. */
  unmapInChild: { name: 'unmap in the child', run: async ({ children }) => children.at(-1)?.munmap(page(0), PAGE_SIZE) } satisfies Step,
  exitChild: { name: 'exit of the child', run: async ({ children }) => children.pop()?.exit() } satisfies Step,
}

/** What who resolves does until the userfaultfd is closed: brings each page, and lets go on who waits for one that has no area any more. Of a page that is there (EEXIST) nobody waits. */
const bring = (wakes: boolean): Step => ({
  name: 'bring',
  async run({ uffd }) {
    for (let fault = await uffd?.read(); fault; fault = await uffd?.read()) {
      const { address } = fault
      try {
        await uffd?.copy(address, bytesOf((address - BASE) / PAGE_SIZE, 1))
      } catch (error) {
        if (!isErrno(error)) throw error
        if (wakes && error.code === 'ENOENT') await uffd?.wake(address, PAGE_SIZE)
      }
    }
  },
})

export const USERFAULTFD_STEPS = {
  bring: bring(true),
  bringOnly: bring(false),
  closeUserfaultfd: { name: 'close the userfaultfd', run: async ({ uffd }) => uffd?.close() } satisfies Step,
}

/** What a device reads was written there, or nothing was. */
function checkRead(bytes: Uint8Array, first: number): void {
  for (let i = 0; i * PAGE_SIZE < bytes.length; i++) {
    const found = bytes[i * PAGE_SIZE]
    if (found !== 0 && found !== first + i + 1) throw new Error(`STALE: page ${first + i} has the byte ${found ?? '?'}, which was never written there`)
  }
}

export interface Program {
  readonly forms: readonly DmirrorForm[]
  readonly pages: number
  /** The pages are missing when the tasks begin, and registered with a userfaultfd. */
  readonly userfaultfd?: boolean
  readonly before?: readonly Step[]
  readonly tasks: Readonly<Record<string, readonly Step[]>>
  /** Looks at the end, before everything is closed. */
  readonly check?: (machine: Machine) => void
}

/** The program for the checker. At its end everything is closed, and nothing may be left. */
export function scenarioOf({ forms, pages, userfaultfd = false, before = [], tasks, check }: Program): Scenario<Machine & { readonly oracles: readonly { check(): void }[] }> {
  return {
    async setup(kernel) {
      const memory = new PhysicalMemory(kernel)
      const mm = memory.createMm('mm')
      await mm.mmap(page(0), pages * PAGE_SIZE, RW, FIXED)
      for (let n = 0; n < pages; n++) await mm.write(page(n), Uint8Array.of(n + 1))
      const stale = new StaleOracle(kernel, throwViolation)
      const cover = new CoverOracle(kernel, throwViolation)
      const mirrors: Dmirror[] = []
      for (const [i, form] of forms.entries()) {
        const mirror = await new DmirrorDevice(memory, { name: `dmirror${i}`, form, pages: 4 }).open(mm)
        stale.watchTable(mirror)
        cover.watch(mirror)
        mirrors.push(mirror)
      }
      const uffd = userfaultfd ? mm.userfaultfd() : undefined
      const machine = { kernel, mm, mirrors, closed: new Set<Dmirror>(), children: [], pages, oracles: [stale, cover], ...(uffd && { uffd }) }
      for (const step of before) await step.run(machine)
      await uffd?.register(page(0), pages * PAGE_SIZE)
      if (uffd) await mm.madvise(page(0), pages * PAGE_SIZE, MADV_DONTNEED)
      return machine
    },
    tasks: Object.fromEntries(Object.entries(tasks).map(([name, steps]) => [name, async (machine: Machine) => {
      for (const step of steps) await tolerate(() => step.run(machine))
    }])),
    async check({ oracles, ...machine }) {
      for (const oracle of oracles) oracle.check()
      check?.(machine)
      const { mm, mirrors, closed, children } = machine
      await tolerate(async () => machine.uffd?.close())
      for (const mirror of mirrors) if (!closed.has(mirror)) await mirror.close()
      for (const { notifiers } of children) if (notifiers.active > 0) throw new Error(`LEAK: ${notifiers.active} invalidations of a child have not ended`)
      for (const child of children) await child.exit()
      if (mm.users > 0) await mm.exit()
      checkLeaks(mm, [])
      const { used } = mm.memory.frames
      if (used !== 1) throw new Error(`LEAK: ${used - 1} frames are left`)
    },
  }
}

async function tolerate(step: () => Promise<unknown>): Promise<void> {
  try {
    await step()
  } catch (error) {
    if (!isErrno(error)) throw error
  }
}
