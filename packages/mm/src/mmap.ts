import { hex } from '@mmu-notifier/core'
import {
  HUGE_PAGE_SIZE, MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB, MAP_LOCKED, MAP_NONBLOCK,
  MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_STACK, MMAP_MIN_ADDRESS, PAGE_SIZE, TASK_SIZE, VM_ACCESS,
  VM_GROWSDOWN, VM_HUGETLB, VM_LOCKED, VM_NOHUGEPAGE, VM_NORESERVE, VM_SHARED, VM_WRITE,
} from './constants.ts'
import { checkUnsigned, errno } from './errno.ts'
import { VmFile } from './file.ts'
import type { MmStruct } from './mm-struct.ts'
import { populate } from './populate.ts'
import { alignUp, isAligned } from './pages.ts'
import { gapStart } from './unmapped-area.ts'
import { VmArea } from './vma.ts'

const MAP_TYPE = 0xf
/** Drivers put what an offset means into its highest bits. Those of whole pages are numbers up to here. */
const OFFSET_END = 2 ** 64
/** Above this is a free mapping of the lower 2 GiB no more. */
const CEILING_32BIT = 0x80000000

/** Flags of mmap that stay with the area. Linux: `calc_vm_flag_bits()`. */
const KEPT: readonly (readonly [map: number, vm: number])[] = [
  [MAP_GROWSDOWN, VM_GROWSDOWN],
  [MAP_LOCKED, VM_LOCKED],
  [MAP_NORESERVE, VM_NORESERVE],
  [MAP_HUGETLB, VM_HUGETLB],
  [MAP_STACK, VM_NOHUGEPAGE],
]

export interface MmapRequest {
  readonly address: number
  readonly length: number
  readonly prot: number
  readonly flags: number
  readonly file: VmFile | undefined
  readonly offset: number
}

/** Linux: `do_mmap()`. */
export async function mmap(mm: MmStruct, request: MmapRequest): Promise<number> {
  const { address, length, prot, flags, offset } = request
  checkUnsigned('mmap', { address, length, prot, flags })
  if (!(offset >= 0 && offset < OFFSET_END)) throw new RangeError(`mmap: expected offset in 0 .. 2^64 - 1, got ${hex(offset)}`)
  checkRequest(request)
  const huge = (flags & MAP_HUGETLB) !== 0
  const size = alignUp(length, huge ? HUGE_PAGE_SIZE : PAGE_SIZE)
  const start = await mm.syscall('mmap', 'write', async () => {
    const start = choosePlace(mm, request, size)
    const file = backing(mm, request, size)
    const page = !file ? start / PAGE_SIZE : flags & MAP_ANONYMOUS ? 0 : offset / PAGE_SIZE
    await mapArea(mm, new VmArea(mm, start, start + size, vmFlags(prot, flags), file, page))
    return start
  })
  const populates = (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE || (flags & MAP_LOCKED) !== 0
  if (populates) await populate(mm, start, start + size)
  return start
}

/** Adds an area; what was mapped there is unmapped. Under the mmap lock for write. Linux: `mmap_region()`. */
export async function mapArea(mm: MmStruct, area: VmArea): Promise<void> {
  await mm.unmap(area.start, area.end)
  area.accounted = (area.flags & (VM_NORESERVE | VM_SHARED | VM_HUGETLB | VM_WRITE)) === VM_WRITE
  await mm.changeAreas(() => {
    mm.vmas.add(area)
    mm.vmas.merge(area)
  })
}

function checkRequest({ length, flags, file, offset }: MmapRequest): void {
  if (length === 0) throw errno('EINVAL', 'mmap: length is 0')
  if (!isAligned(offset)) throw errno('EINVAL', `mmap: expected a page aligned offset, got ${hex(offset)}`)
  const anonymous = (flags & MAP_ANONYMOUS) !== 0
  if (!anonymous && !file) throw errno('EBADF', 'mmap: neither MAP_ANONYMOUS nor a file')
  const type = flags & MAP_TYPE
  const shared = type === MAP_SHARED || (type === MAP_SHARED_VALIDATE && !anonymous)
  if (!shared && type !== MAP_PRIVATE) throw errno('EINVAL', `mmap: expected MAP_SHARED or MAP_PRIVATE, got ${hex(type)}`)
  if (anonymous && shared && flags & MAP_GROWSDOWN) throw errno('EINVAL', 'mmap: shared anonymous memory does not grow down')
  if (!anonymous && flags & MAP_HUGETLB) throw errno('EINVAL', 'mmap: MAP_HUGETLB of a file')
}

/** Where it goes. Linux: `get_unmapped_area()`. */
function choosePlace(mm: MmStruct, request: MmapRequest, size: number): number {
  const { address, flags } = request
  const alignment = flags & MAP_HUGETLB || wantsHuge(mm, request, size) ? HUGE_PAGE_SIZE : PAGE_SIZE
  if (size > TASK_SIZE) throw errno('ENOMEM', `mmap: ${hex(size)} bytes exceed the address space`)
  if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
    if (address > TASK_SIZE - size) throw errno('ENOMEM', `mmap: [${hex(address)}, ${hex(address + size)}) ends above ${hex(TASK_SIZE)}`)
    if (!isAligned(address, alignment)) throw errno('EINVAL', `mmap: expected a multiple of ${hex(alignment)}, got ${hex(address)}`)
    if (flags & MAP_FIXED_NOREPLACE && mm.vmas.first(address, address + size)) {
      throw errno('EEXIST', `mmap: [${hex(address)}, ${hex(address + size)}) is mapped, and MAP_FIXED_NOREPLACE is set`)
    }
    return address
  }
  const hint = alignUp(address, alignment)
  if (hint >= MMAP_MIN_ADDRESS && hint <= TASK_SIZE - size && isFree(mm, hint, hint + size)) return hint
  const found = mm.vmas.findUnmapped(size, alignment, flags & MAP_32BIT ? CEILING_32BIT : undefined)
  if (found === -1) throw errno('ENOMEM', `mmap: no hole of ${hex(size)} bytes`)
  return found
}

/** Whole huge pages of private anonymous memory lie where they can be. Linux: `thp_get_unmapped_area_vmflags()`. */
function wantsHuge(mm: MmStruct, { address, flags, file }: MmapRequest, size: number): boolean {
  if (mm.memory.transparentHugepage === 'never' || address !== 0 || !isAligned(size, HUGE_PAGE_SIZE)) return false
  return !file && (flags & (MAP_TYPE | MAP_FIXED)) === MAP_PRIVATE
}

function isFree(mm: MmStruct, start: number, end: number): boolean {
  const next = mm.vmas.first(start)
  return !next || end <= gapStart(next)
}

function vmFlags(prot: number, flags: number): number {
  const shared = (flags & MAP_TYPE) !== MAP_PRIVATE
  return KEPT.reduce((bits, [map, vm]) => (flags & map ? bits | vm : bits), (prot & VM_ACCESS) | (shared ? VM_SHARED : 0))
}

/**
 * Shared memory without a file gets an object of its own, and so do huge pages; a private mapping of /dev/zero is anonymous. Linux:
 * `shmem_zero_setup()`, `mmap_zero()`.
 */
function backing(mm: MmStruct, { flags, file }: MmapRequest, size: number): VmFile | undefined {
  if (flags & MAP_HUGETLB) return mm.memory.anonymousFile('/anon_hugepage', size)
  const named = flags & MAP_ANONYMOUS ? undefined : file
  if (named && named.name !== '/dev/zero') return named
  return (flags & MAP_TYPE) === MAP_PRIVATE ? undefined : mm.memory.anonymousFile('/dev/zero', size)
}

/** Linux: `remap_file_pages()`, which is emulated by mmap. */
export async function remapFilePages(mm: MmStruct, address: number, length: number, pgoff: number): Promise<void> {
  checkUnsigned('remap_file_pages', { address, length, pgoff })
  const start = Math.floor(address / PAGE_SIZE) * PAGE_SIZE
  const end = start + Math.floor(length / PAGE_SIZE) * PAGE_SIZE
  if (end === start) throw errno('EINVAL', 'remap_file_pages: length is below a page')
  await mm.syscall('remap_file_pages', 'write', async () => {
    const first = mm.vmas.find(start)
    if (!first?.shared) throw errno('EINVAL', `remap_file_pages: no shared mapping at ${hex(start)}`)
    let covered = first.end
    for (const area of mm.vmas.touching(first.end, end)) {
      if (area.start !== covered || area.file !== first.file || area.flags !== first.flags) break
      covered = area.end
    }
    if (covered < end) throw errno('EINVAL', `remap_file_pages: [${hex(start)}, ${hex(end)}) is more than one mapping`)
    await mapArea(mm, new VmArea(mm, start, end, first.flags, first.file, pgoff))
  })
  await populate(mm, start, end)
}
