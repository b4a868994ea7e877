import { PAGE_SIZE } from '@mmu-notifier/mm'
import { WORD_OFFSETS, type PageData } from './program.ts'

/** What a recording shows of a page's bytes. */
export function pageData(bytes: Uint8Array): PageData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [a, b, c, d] = WORD_OFFSETS.map((offset) => view.getUint32(offset, true)) as [number, number, number, number]
  return a === 0 && b === 0 && c === 0 && d === 0 ? 0 : [a, b, c, d]
}

/** The same of several pages. */
export function pagesData(bytes: Uint8Array): PageData[] {
  const pages: PageData[] = []
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) pages.push(pageData(bytes.subarray(at, at + PAGE_SIZE)))
  return pages
}

/** A word of 32 bits, little endian. */
export function wordBytes(word: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, word >>> 0, true)
  return bytes
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
