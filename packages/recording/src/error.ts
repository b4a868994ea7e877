import { MmuNotifierError } from '@mmu-notifier/kernel'

/** Where a text was read: what an error message begins with. */
export interface Location {
  readonly file: string
  /** Counted from 1; 0 when the file as a whole is meant. */
  readonly line: number
}

/**
 * Text that cannot be read as what it should be: `FILE:LINE: field: expected …, found …`, without LINE when the file as a whole is meant.
 * `code` is `ERECORDING`.
 */
export class RecordingError extends MmuNotifierError {
  readonly file: string
  /** Counted from 1; 0 when the file as a whole is meant. */
  readonly line: number
  /** What could not be read: `line`, `result`, `address`, `flags`, … */
  readonly field: string

  constructor(at: Location, field: string, expected: string, found: string, options?: ErrorOptions) {
    super('ERECORDING', `${at.file}${at.line > 0 ? `:${at.line}` : ''}: ${field}: expected ${expected}, found ${found}`, options)
    this.file = at.file
    this.line = at.line
    this.field = field
  }
}

const QUOTED = 60

/** A piece of foreign text for a message: quoted, control characters escaped, at most some 60 characters of it. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= QUOTED ? text : `${text.slice(0, QUOTED - 1)}…`).replace(
    /[\x7f-\x9f]/g,
    (c) => `\\u00${c.charCodeAt(0).toString(16)}`,
  )
}
