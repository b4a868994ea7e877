import type { IntervalNotifierOps } from '@mmu-notifier/core'
import { mirrorRange } from '@mmu-notifier/driver'
import { errno, PAGE_SIZE, PFN_ERROR, PFN_HUGE, PFN_SHIFT, PFN_VALID, PFN_WRITE, ZERO_FRAME, type ExclusivePages, type Mm } from '@mmu-notifier/mm'
import type { DmirrorDevice } from './dmirror-device.ts'
import { eachBlock, type BlockAccess, type Form, type Parts } from './dmirror-form.ts'
import type { DmirrorTable } from './dmirror-table.ts'

/** `DmirrorDevice.snapshot`: nothing can be read there. */
export const HMM_DMIRROR_PROT_ERROR = 0xff
/** Nothing is there now; or a device has the page for itself; or it is in the memory of another one. */
export const HMM_DMIRROR_PROT_NONE = 0
export const HMM_DMIRROR_PROT_READ = 1
/** Alone: READ is not set with it. */
export const HMM_DMIRROR_PROT_WRITE = 2
/** With READ or WRITE: a huge page, of 2 MiB, which the page is a part of. */
export const HMM_DMIRROR_PROT_PMD = 4
/** With READ: the zero page. */
export const HMM_DMIRROR_PROT_ZERO = 0x10
/** With READ or WRITE: a page in the device's own memory. */
export const HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL = 0x20

/** With READ or WRITE: a page in the device's own memory, which the CPU can reach. */
export const HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL = 0x40
/** The same, in the memory of another device. */
export const HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE = 0x50

/** Runs `body` as a user of the address space. EINVAL when that has ended. */
export async function asUser<T>(mm: Mm, body: () => Promise<T>): Promise<T> {
  if (!(await mm.mmget())) throw errno('EINVAL', `the address space ${mm.name} has ended`)
  try {
    return await body()
  } finally {
    await mm.mmput()
  }
}

/** Faults pages in and stores them, 64 at a time, each by the canonical loop. Linux: `dmirror_fault()`. */
export function faultBlocks({ mm }: Parts, form: Form, start: number, end: number, access: BlockAccess): Promise<void> {
  return asUser(mm, () => eachBlock(start, end, (from, to) => form.faultBlock(from, to, access)))
}

/** Linux: `dmirror_snapshot()`. */
export async function snapshotBlocks(parts: Parts, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array((end - start) / PAGE_SIZE)
  await eachBlock(start, end, async (from, to) => { bytes.set(await snapshotBlock(parts, from, to), (from - start) / PAGE_SIZE) })
  return bytes
}

/** With a notifier of its own, so that other invalidations need not be waited for. Linux: `dmirror_range_snapshot()`. */
async function snapshotBlock({ device, mm, lock }: Parts, start: number, end: number): Promise<Uint8Array> {
  const ops: IntervalNotifierOps = {
    async invalidate(notifier, range, seq) {
      if (!(await lock.lockFor(range))) return false
      await notifier.setSeq(seq)
      await lock.unlock()
      return true
    },
  }
  const notifier = await mm.notifiers.insert({ start, last: end - 1 }, ops)
  const bytes = new Uint8Array((end - start) / PAGE_SIZE)
  try {
    await mirrorRange(mm, notifier, lock, { start, end, access: 'snapshot', owner: device }, async ({ pfns }) => {
      protections(device, pfns, bytes)
    })
    return bytes
  } finally {
    await notifier.remove()
  }
}

/** What {@link snapshotBlocks} would return now, a page for each of `pfns`. */
export function peekSnapshot({ device, mm }: Parts, start: number, pfns: Int32Array, out: Uint8Array): void {
  mm.lookRange(start, pfns, device)
  protections(device, pfns, out)
}

function protections(device: DmirrorDevice, pfns: Int32Array, bytes: Uint8Array): void {
  for (let i = 0; i < pfns.length; i++) bytes[i] = pfns[i] === 0 ? HMM_DMIRROR_PROT_NONE : protection(device, pfns[i])
}

/** Linux: `dmirror_mkentry()`. */
function protection(device: DmirrorDevice, pfn: number): number {
  if (pfn & PFN_ERROR) return HMM_DMIRROR_PROT_ERROR
  if (!(pfn & PFN_VALID)) return HMM_DMIRROR_PROT_NONE
  const huge = pfn & PFN_HUGE ? HMM_DMIRROR_PROT_PMD : 0
  return place(device, pfn >> PFN_SHIFT) | huge | (pfn & PFN_WRITE ? HMM_DMIRROR_PROT_WRITE : HMM_DMIRROR_PROT_READ)
}

/** Of a page that is private to a device, only its own hears. */
function place({ memory, pages }: DmirrorDevice, frame: number): number {
  if (frame === ZERO_FRAME) return HMM_DMIRROR_PROT_ZERO
  const other = memory.frames.deviceOf(frame)
  if (!other) return 0
  if (other.kind === 'private') return HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL
  return other === pages ? HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL : HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE
}

/**
 * Only where all could be had is anything stored; but then what is exclusive, even if another page of the block stayed shared. Under the user lock. Linux:
 * `dmirror_atomic_map()`.
 * @returns pages stored
 */
export function storeExclusive(table: DmirrorTable, start: number, end: number, { frames }: ExclusivePages): number {
  if (frames.length < (end - start) / PAGE_SIZE) return 0
  let stored = 0
  frames.forEach((frame, i) => {
    if (frame === 0) return
    table.store(start + i * PAGE_SIZE, frame, 'atomic')
    stored++
  })
  return stored
}
