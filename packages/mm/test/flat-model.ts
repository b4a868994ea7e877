/** What a file or a shared anonymous object holds: the first byte of each page that is not 0. */
export interface FlatFile {
  readonly name: string
  size: number
  readonly bytes: Map<number, number>
}

/** One page of an address space. */
export interface FlatPage {
  prot: number
  readonly shared: boolean
  readonly file: FlatFile | undefined
  readonly index: number
  /** The byte of a private page that was written. */
  own?: number
}

/** The errnos of what the random calls can run into; every other outcome is success. */
export type FlatOutcome = 'EFAULT' | 'ENOMEM' | 'EINVAL' | undefined

/**
 * An address space as nobody would write one: a Map of pages. No areas, no page table, no frames, no sharing of code with the thing it
 * checks.
 */
export class FlatMm {
  readonly pages = new Map<number, FlatPage>()

  #map(first: number, count: number, make: (i: number) => FlatPage): FlatOutcome {
    for (let i = 0; i < count; i++) this.pages.set(first + i, make(i))
    return undefined
  }

  mapAnonymous(first: number, count: number, prot: number): FlatOutcome {
    return this.#map(first, count, () => ({ prot, shared: false, file: undefined, index: 0 }))
  }

  mapFile(first: number, count: number, prot: number, shared: boolean, file: FlatFile, index: number): FlatOutcome {
    return this.#map(first, count, (i) => ({ prot, shared, file, index: index + i }))
  }

  /** Shared anonymous memory: an object of its own, as long as the mapping. */
  mapShared(first: number, count: number, prot: number): FlatOutcome {
    const file: FlatFile = { name: '/dev/zero', size: count, bytes: new Map() }
    return this.mapFile(first, count, prot, true, file, 0)
  }

  unmap(first: number, count: number): FlatOutcome {
    for (let n = first; n < first + count; n++) this.pages.delete(n)
    return undefined
  }

  protect(first: number, count: number, prot: number): FlatOutcome {
    for (let n = first; n < first + count; n++) {
      const found = this.pages.get(n)
      if (!found) return 'ENOMEM'
      found.prot = prot
    }
    return undefined
  }

  dontNeed(first: number, count: number): FlatOutcome {
    let outcome: FlatOutcome
    for (let n = first; n < first + count; n++) {
      const found = this.pages.get(n)
      if (found) delete found.own
      else outcome = 'ENOMEM'
    }
    return outcome
  }

  /** MREMAP_MAYMOVE | MREMAP_FIXED. */
  move(first: number, oldCount: number, newCount: number, to: number): FlatOutcome {
    if (!this.pages.has(first)) return 'EFAULT'
    if (first + oldCount > to && to + newCount > first) return 'EINVAL'
    this.unmap(to, newCount)
    if (oldCount > newCount) this.unmap(first + newCount, oldCount - newCount)
    const kept = Math.min(oldCount, newCount)
    const head = this.pages.get(first)
    if (!head || !this.#oneArea(first, kept)) return 'EFAULT'
    for (let i = 0; i < newCount; i++) {
      const moved = i < kept ? this.pages.get(first + i) : undefined
      this.pages.set(to + i, moved ?? { prot: head.prot, shared: head.shared, file: head.file, index: head.index + i })
    }
    this.unmap(first, kept)
    return undefined
  }

  /** No flags: shrinks, or grows into a hole. */
  resize(first: number, oldCount: number, newCount: number): FlatOutcome {
    const head = this.pages.get(first)
    if (!head) return 'EFAULT'
    if (newCount <= oldCount) return this.unmap(first + newCount, oldCount - newCount)
    if (!this.#oneArea(first, oldCount)) return 'EFAULT'
    for (let n = first + oldCount; n < first + newCount; n++) if (this.pages.has(n)) return 'ENOMEM'
    const { prot, shared, file, index } = head
    for (let i = oldCount; i < newCount; i++) this.pages.set(first + i, { prot, shared, file, index: index + i })
    return undefined
  }

  read(n: number): number | 'EFAULT' {
    const found = this.pages.get(n)
    if (!found || found.prot === 0 || beyondEnd(found)) return 'EFAULT'
    return found.own ?? found.file?.bytes.get(found.index) ?? 0
  }

  write(n: number, byte: number): FlatOutcome {
    const found = this.pages.get(n)
    if (!found || !(found.prot & 2) || beyondEnd(found)) return 'EFAULT'
    if (found.shared) found.file?.bytes.set(found.index, byte)
    else found.own = byte
    return undefined
  }

  /** Private pages behind the new end are lost with those of the file. */
  truncated(file: FlatFile): void {
    for (const found of this.pages.values()) if (found.file === file && found.index >= file.size) delete found.own
  }

  /** There a write fault alone, without a write, already takes the page out of the file's sight. */
  hasPrivateFile(first: number, count: number): boolean {
    for (let n = first; n < first + count; n++) if (this.pages.get(n)?.file && !this.pages.get(n)?.shared) return true
    return false
  }

  fork(): FlatMm {
    const child = new FlatMm()
    for (const [n, found] of this.pages) child.pages.set(n, { ...found })
    return child
  }

  /** In the notation of `maps()`. */
  maps(): string {
    const numbers = [...this.pages.keys()].sort((a, b) => a - b)
    const lines: string[] = []
    for (let i = 0; i < numbers.length; ) {
      const first = numbers[i]
      const head = first === undefined ? undefined : this.pages.get(first)
      if (first === undefined || !head) break
      let count = 1
      while (numbers[i + count] === first + count && this.#oneArea(first, count + 1)) count++
      const { prot, shared, file, index } = head
      const perms = `${prot & 1 ? 'r' : '-'}${prot & 2 ? 'w' : '-'}${prot & 4 ? 'x' : '-'}${shared ? 's' : 'p'}`
      lines.push(`${first}-${first + count} ${perms}${file ? ` ${file.name}+${index}` : ''}`)
      i += count
    }
    return lines.join(', ')
  }

  /** Whether the pages from `first` on are one area. */
  #oneArea(first: number, count: number): boolean {
    const head = this.pages.get(first)
    for (let i = 1; i < count; i++) {
      const found = this.pages.get(first + i)
      if (!head || found?.prot !== head.prot || found.shared !== head.shared || found.file !== head.file) return false
      if (head.file && found.index !== head.index + i) return false
    }
    return head !== undefined
  }
}

function beyondEnd({ file, index }: FlatPage): boolean {
  return file !== undefined && index >= file.size
}
