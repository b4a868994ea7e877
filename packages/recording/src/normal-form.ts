import type { Mm, Vma } from '@mmu-notifier/mm'
import { backingOf, type Backing, type MapsEntry } from './maps.ts'

/** A piece of an address space in which access, backing and the distance to the offset in the file do not change. */
export interface NormalRange {
  readonly start: number
  /** Exclusive. */
  readonly end: number
  readonly prot: number
  readonly shared: boolean
  /** `anonymous`, a name in brackets, `/dev/zero`, `/SYSV`, a path, or `file` when paths are not known. */
  readonly backing: string
  /** Bytes into the file at which `start` lies; 0 for anonymous memory and for what the kernel maps. */
  readonly offset: number
}

interface Area extends NormalRange {
  /** Two areas are pieces of one only when these are equal. */
  readonly object: unknown
  readonly continuous: boolean
}

export interface NormalFormOptions {
  /** False when the recording does not know paths: every file is `file` then. */
  readonly named: boolean
}

/** Joins neighbours that a reader of `/proc/PID/maps` cannot tell apart but by the number of lines. */
function join(areas: Iterable<Area>): NormalRange[] {
  const ranges: NormalRange[] = []
  let last: Area | undefined
  const push = (area: Area): void => {
    const { start, end, prot, shared, backing, offset } = area
    ranges.push({ start, end, prot, shared, backing, offset })
  }
  for (const area of areas) {
    if (last && continues(last, area)) {
      last = { ...last, end: area.end }
      continue
    }
    if (last) push(last)
    last = area
  }
  if (last) push(last)
  return ranges
}

function continues(low: Area, high: Area): boolean {
  return (
    low.end === high.start &&
    low.prot === high.prot &&
    low.shared === high.shared &&
    low.backing === high.backing &&
    low.object === high.object &&
    (!low.continuous || low.offset + (low.end - low.start) === high.offset)
  )
}

/** @param object what tells two objects of one name apart, where that matters: nameless shared memory and segments */
function area(range: Omit<NormalRange, 'backing'>, backing: Backing, object: unknown, named: boolean): Area {
  const { start, end, prot, shared } = range
  const name = backing.kind === 'anonymous' ? 'anonymous' : backing.kind === 'file' && !named ? 'file' : backing.name
  const continuous = backing.kind === 'file' || backing.kind === 'shm'
  const offset = continuous ? range.offset : 0
  return { start, end, prot, shared, backing: name, offset, object: backing.kind === 'shm' ? object : undefined, continuous }
}

/**
 * The normal form of a text of `/proc/PID/maps`: cut at every change of access, backing and offset continuity, equal neighbours joined.
 * What is only a label (`[heap]`, `[stack]`, `[anon:…]`, ` (deleted)`) is left out. Two equal maps have equal normal forms whatever page
 * faults and forks did to `anon_vma`, which decides how many lines the kernel shows.
 */
export function normalFormOfMaps(map: readonly MapsEntry[], { named }: NormalFormOptions): NormalRange[] {
  return join(map.map((entry) => area(entry, backingOf(entry), entry.inode, named)))
}

/** The normal form of an address space of the model. */
export function normalFormOfMm(mm: Mm, { named }: NormalFormOptions): NormalRange[] {
  return join(Array.from(mm.vmas(), (vma) => area(vma, vmaBacking(vma), vma.file, named)))
}

function vmaBacking({ file, shared }: Vma): Backing {
  if (!file) return { kind: 'anonymous' }
  if (file.kind === 'special') return { kind: 'special', name: file.name }
  if (file.kind === 'shm') return { kind: 'shm', name: '/SYSV', id: 0 }
  const name = file.name.endsWith(' (deleted)') ? file.name.slice(0, -10) : file.name
  if (name !== '/dev/zero' && name !== '/anon_hugepage') return { kind: 'file', name }
  return shared ? { kind: 'shm', name: '/dev/zero', id: 0 } : { kind: 'anonymous' }
}

/** `7fbf1a803000-7fbf1a813000 rw-s 00000000 /srv/x`: as in `/proc/PID/maps`, without device and inode. */
export function formatRange({ start, end, prot, shared, offset, backing }: NormalRange): string {
  const hex = (value: number): string => value.toString(16).padStart(8, '0')
  const perms = `${prot & 1 ? 'r' : '-'}${prot & 2 ? 'w' : '-'}${prot & 4 ? 'x' : '-'}${shared ? 's' : 'p'}`
  return `${hex(start)}-${hex(end)} ${perms} ${hex(offset)} ${backing}`
}

/** The first place where two normal forms differ. */
export interface MapDifference {
  /** The address, in bytes, from which on they differ. */
  readonly address: number
  /** The range that the kernel showed there, formatted; undefined for a hole. */
  readonly kernel: string | undefined
  /** The range that the model has there, formatted; undefined for a hole. */
  readonly model: string | undefined
}

/** Undefined when they are equal. */
export function compareNormalForms(kernel: readonly NormalRange[], model: readonly NormalRange[]): MapDifference | undefined {
  for (let i = 0; i < kernel.length || i < model.length; i++) {
    const address = differsAt(kernel[i], model[i])
    if (address !== undefined) return { address, kernel: formatAt(kernel, address), model: formatAt(model, address) }
  }
  return undefined
}

/** The lowest address at which two ranges differ. */
function differsAt(a: NormalRange | undefined, b: NormalRange | undefined): number | undefined {
  if (!a || !b) return (a ?? b)?.start
  if (a.start !== b.start) return Math.min(a.start, b.start)
  if (a.prot !== b.prot || a.shared !== b.shared || a.backing !== b.backing || a.offset !== b.offset) return a.start
  return a.end === b.end ? undefined : Math.min(a.end, b.end)
}

function formatAt(ranges: readonly NormalRange[], address: number): string | undefined {
  const range = ranges.find(({ start, end }) => start <= address && address < end)
  return range && formatRange(range)
}
