/*
 * A recorded program: what one process did on a real Linux with two devices of the kernel's self-test driver, and what the kernel did. Pages are counted from the
 * base of a window; ranges are half open. `fixtures/README.md` describes the format.
 */

/** A page's bytes: 0 when all are zero, or the words (32 bits) at byte 0, 4, 2048 and 4092, the only ones that programs write. */
export type PageData = 0 | readonly [number, number, number, number]

/** Where the words of {@link PageData} are. */
export const WORD_OFFSETS: readonly number[] = [0, 4, 2048, 4092]

export interface ProgramHeader {
  readonly name: string
  /** Bytes: where the window begins. */
  readonly base: number
  /** Pages of the window. */
  readonly pages: number
  /** Transparent huge pages: `always` or `never`. */
  readonly thp: 'always' | 'never'
  /** Pages of the files, and how many of them, from the first, hold 0xf0000000 + page. */
  readonly files: readonly { readonly n: number; readonly filled: number }[]
}

/** A value of a line, as JSON has it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [field: string]: Json }

/** An operation: its name, its arguments, and in a recording its results. */
export interface Operation {
  readonly op: string
  readonly [field: string]: Json
}

export type ProgramLine = {
  /** Counted from 1, in the file. */
  readonly line: number
} & (
  | { readonly kind: 'operation'; readonly operation: Operation }
  | { readonly kind: 'state'; readonly state: Readonly<Record<string, Json>> }
  | { readonly kind: 'final'; readonly final: readonly Json[] }
)

export interface Program {
  readonly file: string
  readonly header: ProgramHeader
  readonly lines: readonly ProgramLine[]
  /** It says what the kernel did. A script does not. */
  readonly recorded: boolean
}
