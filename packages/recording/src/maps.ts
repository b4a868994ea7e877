import { quote, RecordingError, type Location } from './error.ts'

/** What an area shows in `/proc/PID/maps`. */
export interface MapsEntry {
  /** Bytes, page aligned. */
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** PROT_READ 1 | PROT_WRITE 2 | PROT_EXEC 4. */
  readonly prot: number
  readonly shared: boolean
  /** Bytes into the file. */
  readonly offset: number
  readonly device: string
  /** 0 without a file. The id of a System V segment. */
  readonly inode: number
  /** As it stands in the text, line ends unescaped: a path, `[heap]`, `[vdso]`, … or nothing. */
  readonly name: string
}

const PAGE = 4096

const LINE = /^([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([ps]) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) ([0-9]+)(?: +(.*))?$/

/** Reads one line of `/proc/PID/maps`. @throws RecordingError */
export function parseMapsLine(text: string, at: Location): MapsEntry {
  const m = LINE.exec(text)
  if (!m) throw new RecordingError(at, 'range', 'a line of /proc/PID/maps', quote(text))
  const [, low = '', high = '', r, w, x, share, pgoff = '', device = '', inode, name = ''] = m
  const start = parseInt(low, 16)
  const end = parseInt(high, 16)
  const offset = parseInt(pgoff, 16)
  if (start >= end || start % PAGE !== 0 || end % PAGE !== 0) throw new RecordingError(at, 'range', 'whole pages, the end above the start', quote(`${low}-${high}`))
  if (offset % PAGE !== 0) throw new RecordingError(at, 'offset', 'a page-aligned offset', quote(pgoff))
  return {
    start,
    end,
    prot: (r === 'r' ? 1 : 0) | (w === 'w' ? 2 : 0) | (x === 'x' ? 4 : 0),
    shared: share === 's',
    offset,
    device,
    inode: Number(inode),
    name: name.replaceAll('\\012', '\n'),
  }
}

/** `[vsyscall]` lies outside of user space: it is no part of a map here. */
export function isUserArea(entry: MapsEntry): boolean {
  return entry.name !== '[vsyscall]'
}

/** What an area maps, with what changes over its life left out. */
export type Backing =
  /** Private memory without a file. `[heap]`, `[stack]` and `[anon:…]` are labels. */
  | { readonly kind: 'anonymous' }
  /** What the kernel itself maps: `[vdso]`, `[vvar]`, … */
  | { readonly kind: 'special'; readonly name: string }
  /** Shared memory without a file (`/dev/zero`, each mmap an object of its own) and System V segments (`/SYSV`, the number is the id). */
  | { readonly kind: 'shm'; readonly name: '/dev/zero' | '/SYSV'; readonly id: number }
  /** A path, without ` (deleted)`. */
  | { readonly kind: 'file'; readonly name: string }

const ANONYMOUS: Backing = { kind: 'anonymous' }

/** What an area of a maps text maps. */
export function backingOf({ name, inode, shared }: MapsEntry): Backing {
  if (name === '' || name.startsWith('[heap]') || name.startsWith('[stack') || name.startsWith('[anon:')) return ANONYMOUS
  if (name.startsWith('/SYSV')) return { kind: 'shm', name: '/SYSV', id: inode }
  const path = name.endsWith(' (deleted)') ? name.slice(0, -10) : name
  if (path === '/dev/zero' || path === '/anon_hugepage' || name.startsWith('[anon_shmem:')) {
    return shared ? { kind: 'shm', name: '/dev/zero', id: inode } : ANONYMOUS
  }
  return path.startsWith('[') ? { kind: 'special', name: path } : { kind: 'file', name: path }
}
