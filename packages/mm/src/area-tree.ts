import type { VmArea } from './vma.ts'

/** Areas in one chunk; with fewer than this a tree is one sorted array. */
const FULL = 256

interface Chunk {
  areas: VmArea[]
  /** No area of the chunk reaches further: an upper bound, which removals leave as it is. In pages of the object. */
  last: number
}

/**
 * Who maps which pages of an object (a file, an anonVma): areas by their first page, equal ones in order of insertion. The order can be
 * seen, because the reverse map is walked in it. Linux: the interval trees `i_mmap` and `anon_vma->rb_root`.
 *
 * An area must leave before its place changes and come back behind it, as Linux does at every split and merge.
 */
export class AreaTree {
  readonly #chunks: Chunk[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Behind those with the same first page. */
  insert(area: VmArea): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push({ areas: [area], last: area.lastPage })
      this.#size++
      return
    }
    const chunk = this.#chunks[Math.max(this.#firstBehind(area.pgoff) - 1, 0)]
    this.#put(chunk, firstBehind(chunk.areas, area.pgoff), area)
  }

  /** Right behind `previous`, which has the same first page: what fork does. Linux: `vma_interval_tree_insert_after()`. */
  insertAfter(area: VmArea, previous: VmArea): void {
    const [chunk, index] = this.#find(previous)
    this.#put(chunk, index + 1, area)
  }

  remove(area: VmArea): void {
    const [chunk, index] = this.#find(area)
    chunk.areas.splice(index, 1)
    this.#size--
    if (chunk.areas.length === 0) this.#chunks.splice(this.#chunks.indexOf(chunk), 1)
  }

  /** The areas that map a page of `first .. last` (inclusive), in order; the array stays as it is when the tree changes. */
  overlapping(first: number, last: number): VmArea[] {
    const found: VmArea[] = []
    for (const chunk of this.#chunks) {
      if (chunk.last < first) continue
      for (const area of chunk.areas) {
        if (area.pgoff > last) return found
        if (area.lastPage >= first) found.push(area)
      }
    }
    return found
  }

  #put(chunk: Chunk, index: number, area: VmArea): void {
    chunk.areas.splice(index, 0, area)
    chunk.last = Math.max(chunk.last, area.lastPage)
    this.#size++
    if (chunk.areas.length < 2 * FULL) return
    const upper = chunk.areas.splice(FULL)
    this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, { areas: upper, last: chunk.last })
  }

  /** The first chunk that begins behind `page`. */
  #firstBehind(page: number): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle].areas[0].pgoff <= page) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Equal first pages may fill several chunks. */
  #find(area: VmArea): [Chunk, number] {
    for (let i = this.#firstBehind(area.pgoff) - 1; i >= 0; i--) {
      const chunk = this.#chunks[i]
      for (let index = firstBehind(chunk.areas, area.pgoff) - 1; index >= 0; index--) {
        const candidate = chunk.areas[index]
        if (candidate === area) return [chunk, index]
        if (candidate.pgoff < area.pgoff) break
      }
    }
    throw new TypeError('the area is not in the tree of its object')
  }
}

/** The first area that begins behind `page`. */
function firstBehind(areas: readonly VmArea[], page: number): number {
  let low = 0
  let high = areas.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((areas[middle]).pgoff <= page) low = middle + 1
    else high = middle
  }
  return low
}
