import { quote, RecordingError, type Location } from './error.ts'
import { decodeNumber, type FlagNames } from './flags.ts'
import type { CallResult } from './parse.ts'
import { unescape } from './scan.ts'

/** The file behind a descriptor: its path, or undefined when the recording was made without `-y`. */
export interface RecordedFile {
  readonly path: string | undefined
}

/** Addresses are numbers. With five levels of page tables those of users end at 2^56, but the kernel gives none above 2^47 to who does not ask for it. */
export const ADDRESS_END: number = 2 ** 53
const PAGE = 4096
const ARGUMENT_NAME = /^[a-z][a-z0-9_]*=/

/** The arguments of one call, decoded one by one; an error names the argument. */
export class ArgumentDecoder {
  readonly #args: readonly string[]
  readonly #at: Location
  readonly result: number

  constructor(args: readonly string[], result: CallResult, at: Location) {
    this.#args = args
    this.result = result.value ?? NaN
    this.#at = at
  }

  fail(field: string, expected: string, found: string): RecordingError {
    return new RecordingError(this.#at, field, expected, found)
  }

  /** Without the name that `-N`, and clone always, has before it. */
  text(index: number, field: string): string {
    const arg = this.#args[index]
    if (arg === undefined) throw this.fail(field, `${index + 1} arguments`, String(this.#args.length))
    return arg.replace(ARGUMENT_NAME, '')
  }

  /** Which argument has a name, or -1. */
  indexOf(name: string): number {
    return this.#args.findIndex((arg) => arg.startsWith(`${name}=`))
  }

  /** A whole number of 0 or more: bytes, an id. */
  size(index: number, field: string): number {
    const text = this.text(index, field)
    const value = decodeNumber(text)
    if (!Number.isSafeInteger(value) || value < 0) throw this.fail(field, 'a number in 0 .. 2^53 - 1', quote(text))
    return value
  }

  /** Bytes of a file of any size, cut where numbers are not exact any more: nothing of a file lies there. */
  fileSize(index: number, field: string): number {
    const text = this.text(index, field)
    const value = decodeNumber(text)
    if (!(value >= 0 && value < 2 ** 64)) throw this.fail(field, 'a number in 0 .. 2^64 - 1', quote(text))
    return Math.min(value, Number.MAX_SAFE_INTEGER)
  }

  /** Of whole pages, and so a number up to 2^64. */
  pageOffset(index: number): number {
    const text = this.text(index, 'offset')
    const value = decodeNumber(text)
    if (!(value >= 0 && value < 2 ** 64)) throw this.fail('offset', 'a number in 0 .. 2^64 - 1', quote(text))
    return this.#aligned(value, text, 'offset')
  }

  flags(index: number, field: string, names: FlagNames): number {
    const text = this.text(index, field)
    const value = decodeNumber(text, names)
    if (!Number.isSafeInteger(value)) throw this.fail(field, 'flags that are known', quote(text))
    return value
  }

  address(index: number, field = 'address'): number {
    return this.#userAddress(decodeNumber(this.text(index, field)), this.text(index, field), field)
  }

  pageAddress(index: number, field = 'address'): number {
    const text = this.text(index, field)
    return this.#aligned(this.#userAddress(decodeNumber(text), text, field), text, field)
  }

  /** The address that the call returned. */
  resultAddress(): number {
    return this.#aligned(this.resultEnd(), hex(this.result), 'result')
  }

  /** The end of the heap that brk returned: an address, not page aligned. */
  resultEnd(): number {
    return this.#userAddress(this.result, hex(this.result), 'result')
  }

  #userAddress(value: number, text: string, field: string): number {
    if (!(value >= 0 && value < ADDRESS_END)) throw this.fail(field, 'a user address (below 2^53)', quote(text))
    return value
  }

  #aligned(value: number, text: string, field: string): number {
    if (value % PAGE !== 0) throw this.fail(field, field === 'offset' ? 'a page-aligned offset' : 'a page-aligned address', quote(text))
    return value
  }

  /** An end beyond user space is no error: the kernel refuses it by returning the old one. 0 then. */
  brkEnd(index: number): number {
    const text = this.text(index, 'address')
    const value = decodeNumber(text)
    if (!(value >= 0)) throw this.fail('address', 'an address', quote(text))
    return value < ADDRESS_END ? value : 0
  }

  /** A length whose range, rounded up to pages, ends within user space. */
  length(index: number, address: number, field = 'length'): number {
    const value = this.size(index, field)
    if (address + value > ADDRESS_END) throw this.fail(field, 'a range that ends below 2^53', quote(this.text(index, field)))
    return value
  }

  /** `3`, `3</path>`, `3</path>(deleted)`; `AT_FDCWD</path>`. */
  file(index: number): RecordedFile {
    const text = this.text(index, 'descriptor')
    const open = text.indexOf('<')
    if (open < 0) return { path: undefined }
    const close = text.lastIndexOf('>')
    const path = text.slice(open + 1, close).replace(/<(?:char|block) [0-9]+:[0-9]+>$/, '')
    return { path: unescape(path).replace(/ ?\(deleted\)$/, '') }
  }
}

/** As strace writes addresses. */
function hex(value: number): string {
  return `0x${value.toString(16)}`
}
