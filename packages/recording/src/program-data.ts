import { PAGE_SIZE } from '@mmu-notifier/mm'
import { WORD_OFFSETS, type PageData } from './program.ts'

/** What a recording shows of each page. */
export function pagesData(bytes: Uint8Array): PageData[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const pages: PageData[] = []
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
    const a = view.getUint32(at, true)
    const b = view.getUint32(at + 4, true)
    const c = view.getUint32(at + 2048, true)
    const d = view.getUint32(at + 4092, true)
    pages.push((a | b | c | d) === 0 ? 0 : [a, b, c, d])
  }
  return pages
}

/** A word of 32 bits, little endian. */
export function wordBytes(word: number): Uint8Array {
  return Uint8Array.of(word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24)
}

/** The pages that a device writes: four words in each, the first page from `value` on; all else is zero. */
export function devicePages(pages: number, value: number): Uint8Array {
  const bytes = new Uint8Array(pages * PAGE_SIZE)
  const view = new DataView(bytes.buffer)
  for (let page = 0; page < pages; page++) {
    WORD_OFFSETS.forEach((offset, i) => { view.setUint32(page * PAGE_SIZE + offset, (value + 4 * page + i) >>> 0, true) })
  }
  return bytes
}
