import { MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, MAP_PRIVATE, MAP_SHARED, type Mm, type VmFile } from '@mmu-notifier/mm'
import { backingOf, type MapsEntry } from './maps.ts'
import type { RecordedObjects } from './objects.ts'

export function isStack(entry: MapsEntry): boolean {
  return entry.name === '[stack]'
}

/** Fills an empty address space with the map that the kernel showed. @returns the end of the heap, if there is one */
export async function mapStart(mm: Mm, map: readonly MapsEntry[], objects: RecordedObjects): Promise<number | undefined> {
  for (const entry of map) {
    const file = fileOf(entry, objects)
    const flags = (entry.shared ? MAP_SHARED : MAP_PRIVATE) | (file ? 0 : MAP_ANONYMOUS) | (isStack(entry) ? MAP_GROWSDOWN : 0)
    await mm.mmap(entry.start, entry.end - entry.start, entry.prot, flags | MAP_FIXED, file, file ? entry.offset : 0)
  }
  const heap = map.filter(({ name }) => name === '[heap]')
  const [first] = heap
  if (!first) return undefined
  const end = heap.at(-1)?.end ?? first.end
  mm.setBrk(first.start, end)
  return end
}

function fileOf(entry: MapsEntry, objects: RecordedObjects): VmFile | undefined {
  const backing = backingOf(entry)
  switch (backing.kind) {
    case 'anonymous':
      return undefined
    case 'special':
      return objects.special(backing.name)
    case 'shm':
      return backing.name === '/SYSV' ? objects.segment(backing.id) : objects.sharedAnonymous(backing.id)
    case 'file':
      return objects.file({ path: backing.name })
  }
}
