import { AreaTree } from './area-tree.ts'
import type { FrameTable, ReverseMap } from './frames.ts'
import type { VmFile } from './file.ts'

/** Who maps a file and can take its pages out of a page table: an address space. */
export interface FileMapper {
  /**
   * Unmaps bytes `[start, end)` of the file wherever they are mapped, each area with an event 'clear'.
   * @param only the pages that go, by index: private copies stay. By default everything goes. Linux: `unmap_mapping_range()` with
   * `even_cows` 0 and 1
   */
  unmapFile(file: VmFile, start: number, end: number, only?: ReadonlyMap<number, number>): Promise<void>
}

/**
 * The pages of a file that are in memory, and who maps it. Pages are changed under the page-table lock: a fault looks one up and maps it
 * in one step. Linux: `struct address_space` (`i_pages`, `i_mmap`).
 */
export class PageCache implements ReverseMap {
  readonly anonymous = false
  /** Who maps which of its pages. Linux: `i_mmap`. */
  readonly areas: AreaTree = new AreaTree()
  /** Bytes; Infinity when it is not known where the file ends. */
  size: number
  /** The file has a name, or a descriptor: its pages outlive its mappings. */
  linked = true
  readonly #frames: FrameTable
  /** Page index -> frame; each holds a reference. */
  readonly #pages = new Map<number, number>()
  /** How many areas of whom. */
  readonly #mappers = new Map<FileMapper, number>()

  constructor(frames: FrameTable, size: number) {
    this.#frames = frames
    this.size = size
  }

  /** Who maps it; who comes while the iteration lasts is visited too (a child whose fork was under way). */
  get mappers(): IterableIterator<FileMapper> {
    return this.#mappers.keys()
  }

  /** The frame of a page, or undefined when it is not in memory: then it is zeros. */
  get(index: number): number | undefined {
    return this.#pages.get(index)
  }

  /** The frame of a page, brought into memory. Linux: `filemap_get_folio()` with `FGP_CREAT`. */
  bring(index: number): number {
    let frame = this.#pages.get(index)
    if (frame === undefined) {
      this.#pages.set(index, (frame = this.#frames.allocate()))
      this.#frames.setReverse(frame, this, index)
    }
    return frame
  }

  /** Takes the pages `[first, end)` out, with the references: the next fault finds a new page of zeros. */
  take(first: number, end: number): Map<number, number> {
    const taken = new Map<number, number>()
    const inside = (index: number): boolean => index >= first && index < end
    const indices = end - first < this.#pages.size ? range(first, end) : [...this.#pages.keys()].filter(inside)
    for (const index of indices) {
      const frame = this.#pages.get(index)
      if (frame === undefined) continue
      taken.set(index, frame)
      this.#frames.setReverse(frame, undefined)
      this.#pages.delete(index)
    }
    return taken
  }

  attach(mapper: FileMapper): void {
    this.#mappers.set(mapper, (this.#mappers.get(mapper) ?? 0) + 1)
  }

  detach(mapper: FileMapper): void {
    const areas = (this.#mappers.get(mapper) ?? 0) - 1
    if (areas > 0) this.#mappers.set(mapper, areas)
    else this.#mappers.delete(mapper)
  }

  /** Frees all pages when nobody can reach them any more. Linux: `evict()` after the last `iput()`. */
  evictUnused(): void {
    if (this.linked || this.#mappers.size > 0) return
    for (const frame of this.#pages.values()) this.#frames.put(frame)
    this.#pages.clear()
  }
}

function* range(first: number, end: number): IterableIterator<number> {
  for (let index = first; index < end; index++) yield index
}
