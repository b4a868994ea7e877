import { isErrno } from '@mmu-notifier/kernel'

/** What a test asserts does not hold. */
export class ExpectationError extends Error {
  override readonly name = 'ExpectationError'
  readonly expected: string
  readonly found: string

  constructor(what: string, expected: string, found: string) {
    super(what)
    this.expected = expected
    this.found = found
  }
}

export function expectEqual(what: string, found: number | string | boolean, expected: number | string | boolean): void {
  if (found !== expected) throw new ExpectationError(what, String(expected), String(found))
}

/** The same bytes; the message names the first 32-bit word that differs. */
export function expectBytes(what: string, found: Uint8Array, expected: Uint8Array): void {
  expectEqual(`bytes of ${what}`, found.length, expected.length)
  if (Buffer.compare(found, expected) === 0) return
  const at = found.findIndex((byte, i) => byte !== expected[i])
  const word = Math.floor(at / 4)
  throw new ExpectationError(`word ${word} of ${what}`, String(wordAt(expected, word)), String(wordAt(found, word)))
}

/** The call fails with this errno. */
export async function expectError(what: string, call: Promise<unknown>, code: string): Promise<void> {
  let found = 'success'
  try {
    await call
  } catch (error) {
    if (!isErrno(error)) throw error
    found = error.code
  }
  expectEqual(what, found, code)
}

/** Each byte of a snapshot, in hexadecimal. */
export function expectSnapshot(found: Uint8Array, expected: readonly number[]): void {
  const hex = (bytes: ArrayLike<number>): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
  expectEqual('snapshot', hex(found), hex(expected))
}

function wordAt(bytes: Uint8Array, word: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * word, true)
}
