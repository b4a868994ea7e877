/*
 * Scanning over char codes, without backtracking: every function looks at a character once.
 *
 * What strace writes nests: strings, brackets, comments of the verbose style and paths of descriptors. Only outside of all of them do
 * a comma and a closing parenthesis mean anything.
 */

const QUOTE = 0x22
const PAREN_OPEN = 0x28
const PAREN_CLOSE = 0x29
const STAR = 0x2a
const COMMA = 0x2c
const DASH = 0x2d
const SLASH = 0x2f
const LESS = 0x3c
const GREATER = 0x3e
const SQUARE_OPEN = 0x5b
const BACKSLASH = 0x5c
const SQUARE_CLOSE = 0x5d
const CURLY_OPEN = 0x7b
const CURLY_CLOSE = 0x7d

/** True for 0 to 9. */
export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

/** True for what names of system calls and constants are made of. */
export function isWord(code: number): boolean {
  return isDigit(code) || (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f
}

/** The index of the first character at or after `at` that is no space. */
export function skipSpaces(text: string, at: number): number {
  while (text.charCodeAt(at) === 0x20) at++
  return at
}

/** The index behind the string whose opening quote is at `at`, or -1 when it does not end. */
function skipString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === QUOTE) return i + 1
  }
  return -1
}

/**
 * The index behind the path of a descriptor whose `<` is at `at`, or -1. strace escapes `<` and `>` in names; `-yy` nests
 * (`</dev/zero<char 1:5>>`) and writes sockets as `<TCP:[1.2.3.4:80->5.6.7.8:90]>`, where `->` ends nothing.
 */
function skipPath(text: string, at: number): number {
  let depth = 0
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === LESS) depth++
    else if (code === GREATER && !isArrow(text, i) && --depth === 0) return i + 1
  }
  return -1
}

/** The index behind the comment that begins at `at`, or -1. They nest, around the comment of a part that strace does not know. */
function skipComment(text: string, at: number): number {
  let depth = 1
  for (let i = at + 2; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === SLASH && text.charCodeAt(i + 1) === STAR) depth++
    else if (code !== STAR || text.charCodeAt(i + 1) !== SLASH) continue
    else if (--depth === 0) return i + 2
    i++
  }
  return -1
}

function isArrow(text: string, greater: number): boolean {
  if (text.charCodeAt(greater - 1) !== DASH) return false
  const next = text.charCodeAt(greater + 1)
  return isDigit(next) || next === SQUARE_OPEN
}

/** `3<` opens a path and `AT_FDCWD<` does; `21<<MAP_HUGE_SHIFT` and ` <unfinished` do not. */
function opensPath(text: string, at: number): boolean {
  return at > 0 && isWord(text.charCodeAt(at - 1)) && text.charCodeAt(at + 1) !== LESS
}

/** The arguments of a call and where they end. */
export interface Arguments {
  /** Trimmed; none for `()`. */
  readonly args: string[]
  /** Index of the closing parenthesis, or the length of the text when there is none. */
  readonly end: number
  /** False when the text ends before the closing parenthesis does. */
  readonly closed: boolean
}

/** Splits the arguments that begin at `from`, behind the opening parenthesis, at top-level commas. */
export function splitArguments(text: string, from: number): Arguments {
  const args: string[] = []
  let depth = 0
  let start = from
  let i = from
  const take = (end: number): void => {
    const arg = text.slice(start, end).trim()
    if (arg !== '' || args.length > 0) args.push(arg)
  }
  while (i < text.length) {
    const code = text.charCodeAt(i)
    let next = i + 1
    switch (code) {
      case QUOTE:
        next = skipString(text, i)
        break
      case LESS:
        if (opensPath(text, i)) next = skipPath(text, i)
        break
      case SLASH:
        if (text.charCodeAt(i + 1) === STAR) next = skipComment(text, i)
        break
      case PAREN_OPEN:
      case SQUARE_OPEN:
      case CURLY_OPEN:
        depth++
        break
      case SQUARE_CLOSE:
      case CURLY_CLOSE:
        depth--
        break
      case PAREN_CLOSE:
        if (depth === 0) {
          take(i)
          return { args, end: i, closed: true }
        }
        depth--
        break
      case COMMA:
        if (depth === 0) {
          take(i)
          start = next
        }
        break
    }
    if (next === -1) break
    i = next
  }
  take(text.length)
  return { args, end: text.length, closed: false }
}

/** The whole number that `text` from `start` to `end` spells in C (decimal, 0x, leading 0 for octal, with a sign), or NaN. */
export function parseInteger(text: string, start: number, end: number): number {
  const negative = text.charCodeAt(start) === DASH
  let i = negative ? start + 1 : start
  let base = 10
  if (text.charCodeAt(i) === 0x30 && end - i > 1) {
    base = (text.charCodeAt(i + 1) | 0x20) === 0x78 ? 16 : 8
    i += base === 16 ? 2 : 1
  }
  if (i >= end) return NaN
  let value = 0
  for (; i < end; i++) {
    const code = text.charCodeAt(i)
    const digit = isDigit(code) ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : code >= 0x41 && code <= 0x46 ? code - 0x37 : 99
    if (digit >= base) return NaN
    value = value * base + digit
  }
  return negative ? -value : value
}

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r' }

/** Undoes the escapes of strace in a path: `\n`, `\"`, `\ooo`, `\xhh`. One character a byte (latin1). */
export function unescape(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)/g, (_, code: string) => {
    if (/^x./.test(code)) return String.fromCharCode(parseInt(code.slice(1), 16))
    if (/^[0-7]/.test(code)) return String.fromCharCode(parseInt(code, 8) & 0xff)
    return ESCAPES[code] ?? code
  })
}
