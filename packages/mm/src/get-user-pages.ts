import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { PAGE_SIZE, VM_READ, VM_WRITE } from './constants.ts'
import { handleFaults } from './fault.ts'
import type { PhysicalMemory } from './memory.ts'
import type { MmStruct } from './mm-struct.ts'
import { frameOf, isHuge, PTE_PRESENT, PTE_WRITE } from './pte.ts'
import { splitHugeEntry } from './split-huge.ts'

export interface GetOptions {
  readonly access: 'read' | 'write'
  /** The references are pins, for `unpinPages`. Linux: FOLL_PIN. */
  readonly pin?: boolean
  /** No page is to be in a huge entry. Linux: FOLL_SPLIT_PMD. */
  readonly split?: boolean
}

/**
 * Under the mmap lock. @returns pages with a reference each, up to the first that does not allow the access. Who gets an error instead,
 * ENOMEM or that of a callback, has no reference. Linux: `get_user_pages_remote()`
 */
export async function getUserPages(mm: MmStruct, start: number, end: number, options: GetOptions): Promise<number[]> {
  const got: number[] = []
  try {
    await getInto(got, mm, start, end, options)
  } catch (error) {
    await (options.pin ? unpinPages : putPages)(mm.memory, got)
    throw error
  }
  return got
}

async function getInto(got: number[], mm: MmStruct, start: number, end: number, { access, pin = false, split = false }: GetOptions): Promise<void> {
  const needed = access === 'write' ? PTE_WRITE : PTE_PRESENT
  for (let at = start; at < end; ) {
    const inHuge = await mm.tableLock.section(() => {
      for (; at < end; at += PAGE_SIZE) {
        const entry = mm.pageTable.get(at)
        if (!(entry & needed) || (split && isHuge(entry))) return mm.pageTable.getHuge(at) !== 0
        if (pin) mm.frames.pin(frameOf(entry))
        else mm.frames.get(frameOf(entry))
        got.push(frameOf(entry))
      }
      return false
    })
    if (at === end) return
    const area = mm.vmas.find(at)
    if (!area?.has(access === 'write' ? VM_WRITE : VM_READ)) return
    if (split && inHuge) {
      await splitHugeEntry(mm, at)
      continue
    }
    try {
      await handleFaults(mm, area, at, at + PAGE_SIZE, access, { by: 'remote', missingOnly: true })
    } catch (error) {
      if (!isMmuNotifierError(error, 'EFAULT')) throw error
      return
    }
  }
}

/** Gives references back. Linux: `put_page()`. */
export function putPages({ frames, tableLock }: PhysicalMemory, pages: Iterable<number>): Promise<void> {
  return tableLock.section(() => {
    for (const frame of pages) frames.put(frame)
  })
}

/** The same for pins. Linux: `unpin_user_pages()`. */
export function unpinPages({ frames, tableLock }: PhysicalMemory, pages: Iterable<number>): Promise<void> {
  return tableLock.section(() => {
    for (const frame of pages) frames.unpin(frame)
  })
}
