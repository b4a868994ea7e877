import {
  MADV_COLD, MADV_DOFORK, MADV_DONTFORK, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_NOHUGEPAGE, MADV_POPULATE_READ,
  MADV_POPULATE_WRITE, MADV_REMOVE, MADV_WIPEONFORK, MAP_ANONYMOUS, MAP_FIXED, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED,
  MREMAP_MAYMOVE, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE, type Mm,
} from '@mmu-notifier/mm'
import { pagesData, wordBytes } from './program-data.ts'
import type { ProgramMachine, Results } from './program-machine.ts'
import type { Operation } from './program.ts'

const PROT: Readonly<Record<string, number>> = { none: 0, r: PROT_READ, rw: PROT_READ | PROT_WRITE, w: PROT_WRITE, rx: PROT_READ | PROT_EXEC }
const ADVICE: Readonly<Record<string, number>> = {
  DONTNEED: MADV_DONTNEED, FREE: MADV_FREE, REMOVE: MADV_REMOVE, DONTFORK: MADV_DONTFORK, DOFORK: MADV_DOFORK, WIPEONFORK: MADV_WIPEONFORK,
  KEEPONFORK: MADV_KEEPONFORK, POPULATE_READ: MADV_POPULATE_READ, POPULATE_WRITE: MADV_POPULATE_WRITE, COLD: MADV_COLD, HUGEPAGE: MADV_HUGEPAGE,
  NOHUGEPAGE: MADV_NOHUGEPAGE,
}

/** The fields of an operation whose types were checked. */
interface Arguments {
  readonly page: number
  readonly n: number
  readonly prot: string
  readonly kind: string
  readonly file: number
  readonly pgoff: number
  readonly populate?: number
  readonly oldn: number
  readonly newn: number
  readonly flags: string
  readonly dst?: number
  readonly advice: string
  readonly off: number
  readonly val: number
}

/** System calls and accesses of the process and its child. @returns undefined for an operation of another kind. Errors are the call's errno */
export async function performMemory(machine: ProgramMachine, operation: Operation): Promise<Results | undefined> {
  const { mm, child } = machine
  const args = operation as unknown as Arguments
  const start = machine.address(args.page)
  const length = args.n * PAGE_SIZE
  switch (operation.op) {
    case 'mmap':
      await map(machine, args)
      break
    case 'munmap':
      await mm.munmap(start, length)
      break
    case 'mprotect':
      await mm.mprotect(start, length, PROT[args.prot] ?? 0)
      break
    case 'mremap':
      return { ret: await remap(machine, args) }
    case 'madvise':
      await mm.madvise(start, length, ADVICE[args.advice] ?? 0)
      break
    case 'cpuw':
      return write(machine, mm, args)
    case 'cpur':
      return read(machine, mm, args)
    case 'fork':
      machine.child = await mm.fork('child')
      break
    case 'child_exit':
      machine.child = undefined
      await child?.exit()
      break
    case 'child_w':
      return write(machine, childOf(child), args)
    case 'child_r':
      return read(machine, childOf(child), args)
    case 'child_unmap':
      await childOf(child).munmap(start, length)
      break
    default:
      return performFile(machine, operation.op, args)
  }
  return { ret: 0 }
}

async function performFile({ files }: ProgramMachine, op: string, { file, page, n, off, val }: Arguments): Promise<Results | undefined> {
  const target = files[file]
  if (!target) return undefined
  switch (op) {
    case 'ftrunc':
      await target.truncate(n * PAGE_SIZE)
      return { ret: 0 }
    case 'fpunch':
      await target.punchHole(page * PAGE_SIZE, n * PAGE_SIZE)
      return { ret: 0 }
    case 'fwrite':
      await target.write(page * PAGE_SIZE + off, wordBytes(val))
      return { ret: 4 }
    case 'fread': {
      const bytes = await target.read(page * PAGE_SIZE, n * PAGE_SIZE)
      return bytes.length > 0 ? { ret: bytes.length, data: pagesData(bytes) } : { ret: 0 }
    }
    default:
      return undefined
  }
}

function childOf(child: Mm | undefined): Mm {
  if (child) return child
  throw new TypeError('the program uses a child that it has not')
}

function map(machine: ProgramMachine, { page, n, prot, kind, file, pgoff, populate }: Arguments): Promise<number> {
  const shared = kind.endsWith('shared') ? MAP_SHARED : MAP_PRIVATE
  const anonymous = kind.startsWith('anon')
  const flags = MAP_FIXED | shared | (anonymous ? MAP_ANONYMOUS : 0) | (populate ? MAP_POPULATE : 0)
  const start = machine.address(page)
  if (anonymous) return machine.mm.mmap(start, n * PAGE_SIZE, PROT[prot] ?? 0, flags)
  return machine.mm.mmap(start, n * PAGE_SIZE, PROT[prot] ?? 0, flags, machine.files[file], pgoff * PAGE_SIZE)
}

/** @returns the new page */
async function remap(machine: ProgramMachine, { page, oldn, newn, flags, dst }: Arguments): Promise<number> {
  const bits = (flags.includes('M') ? MREMAP_MAYMOVE : 0) | (flags.includes('F') ? MREMAP_FIXED : 0) | (flags.includes('D') ? MREMAP_DONTUNMAP : 0)
  const to = dst === undefined ? 0 : machine.address(dst)
  const moved = await machine.mm.mremap(machine.address(page), oldn * PAGE_SIZE, newn * PAGE_SIZE, bits, to)
  return (moved - machine.header.base) / PAGE_SIZE
}

/** One word to each page, until a signal. */
async function write(machine: ProgramMachine, mm: Mm, { page, n, off, val }: Arguments): Promise<Results> {
  for (let done = 0; done < n; done++) {
    const ended = await mm.access('write', machine.address(page + done) + off, wordBytes(val + done))
    if (ended) return { done, sig: ended.signal.slice(3), code: ended.code }
  }
  return { done: n }
}

async function read(machine: ProgramMachine, mm: Mm, { page, n }: Arguments): Promise<Results> {
  const { data, ended } = await machine.read(mm, page, n)
  return ended ? { done: data.length, sig: ended.signal.slice(3), code: ended.code, data } : { done: n, data }
}
