import {
  MADV_WIPEONFORK, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_LOCKED, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED,
  MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_EXEC, PROT_READ, PROT_WRITE, TASK_SIZE, type Mm, type VmFile,
} from '@mmu-notifier/mm'
import { isErrno, isMmuNotifierError } from '@mmu-notifier/kernel'
import type { MemoryCall, MmapCall, MremapCall } from './calls.ts'
import { forgetBehind, freedBy, mayRefuse, populate } from './effects.ts'
import type { CallEvent } from './events.ts'
import { FALLOC, MAP, MCL, SHM } from './flags.ts'
import type { RecordedObjects } from './objects.ts'
import type { Space } from './processes.ts'
import { holesIn, isMapped, mappedIn, overlap, pageAlign, pagesFrom, type Range } from './ranges.ts'

/** Something that the calls of a recording do not decide, or on which the model and the kernel disagree. */
export interface Uncertainty {
  readonly file: string
  readonly line: number
  readonly text: string
}

type CallOf<Name> = Extract<MemoryCall, { readonly name: Name }>

function hex(address: number): string {
  return `0x${address.toString(16)}`
}

/** A space whose map is known, at least in part. */
export type KnownSpace = Space & { readonly mm: Mm }

/** Does in the model what the kernel did, at the addresses where the kernel did it. */
export class CallReplayer {
  readonly #objects: RecordedObjects
  readonly uncertain: Uncertainty[] = []
  /** Calls applied before the line of their result, because the kernel had given their range away again by then. */
  earlyApplied = 0
  /** Ranges of an assumed map that a successful call proved to be mapped. */
  assumedRanges = 0

  constructor(objects: RecordedObjects) {
    this.#objects = objects
  }

  report(event: { readonly file: string; readonly line: number }, text: string): void {
    this.uncertain.push({ file: event.file, line: event.line, text })
  }

  /** Applies one call that succeeded, or failed with a partial effect. What the model refuses is reported, never an error. */
  async apply(event: CallEvent, space: KnownSpace): Promise<void> {
    space.inFlight.delete(event)
    try {
      if (event.errno !== undefined) await this.#applyPart(event, space)
      else await this.#apply(event, event.call, space)
    } catch (error) {
      if (!isErrno(error)) throw error // what an oracle or a driver has to say is not the model's answer
      this.report(event, `${event.call.name}: the kernel succeeded, the model says ${error.message}`)
    }
  }

  async #apply(event: CallEvent, call: MemoryCall, space: KnownSpace): Promise<void> {
    const { mm } = space
    switch (call.name) {
      case 'mmap':
        return this.#mmap(event, call, space)
      case 'mremap':
        return this.#mremap(event, call, space)
      case 'brk':
        return this.#brk(event, call, space)
      case 'munmap':
        return mm.munmap(call.address, call.length)
      case 'mprotect':
        await this.#assume(space, pagesFrom(call.address, call.length))
        return mm.mprotect(call.address, call.length, call.prot)
      case 'madvise':
        await this.#assume(space, pagesFrom(call.address, call.length))
        return mm.madvise(call.address, call.length, call.advice)
      case 'remap_file_pages':
        return mm.remapFilePages(call.address, call.length, call.pgoff)
      case 'mlock':
        return call.onFault ? undefined : populate(mm, pagesFrom(call.address, call.length))
      case 'mlockall':
        space.locksFuture = (call.flags & (MCL.MCL_FUTURE | MCL.MCL_ONFAULT)) === MCL.MCL_FUTURE
        if ((call.flags & (MCL.MCL_CURRENT | MCL.MCL_ONFAULT)) === MCL.MCL_CURRENT) await populate(mm, { start: 0, end: TASK_SIZE })
        return
      case 'munlockall':
        space.locksFuture = false
        return
      case 'shmget':
        this.#objects.createSegment(call.result, call.key, call.size)
        return
      case 'shmat':
        return this.#shmat(event, call, space)
      case 'shmdt':
        return this.#shmdt(call.address, mm)
      case 'ftruncate':
        return forgetBehind(this.#objects.known(call.file), call.length)
      case 'fallocate':
        return this.#fallocate(call)
      case 'io_setup':
        this.report(event, 'io_setup: maps a ring whose place and size no system call tells')
        return
      case 'clone':
      case 'execve':
        throw new TypeError(`${call.name} is not the business of an address space`)
    }
  }

  /** ENOMEM at a hole: the pages before it, or all mapped parts, were changed. EACCES at an area: those before it. */
  async #applyPart(event: CallEvent, { mm }: KnownSpace): Promise<void> {
    const { call } = event
    if (call.name !== 'mprotect' && call.name !== 'madvise') return
    if (call.name === 'mprotect' && event.errno === 'EACCES') return this.#protectAllowed(event, call, mm)
    if (isMapped(mm, pagesFrom(call.address, call.length))) {
      this.report(event, `${call.name}: the kernel met a hole, the model knows of none`)
      return
    }
    try {
      if (call.name === 'mprotect') await mm.mprotect(call.address, call.length, call.prot)
      else await mm.madvise(call.address, call.length, call.advice)
    } catch (error) {
      if (!isMmuNotifierError(error, 'ENOMEM')) throw error
    }
  }

  async #protectAllowed(event: CallEvent, { address, length, prot }: CallOf<'mprotect'>, mm: Mm): Promise<void> {
    const pieces = mappedIn(mm, pagesFrom(address, length))
    const [refused, ...others] = pieces.filter((piece) => mayRefuse(piece, prot))
    if (pieces.length > 1 && (!refused || others.length > 0)) this.report(event, `mprotect: which of ${pieces.length} areas refused no system call tells`)
    if (refused && refused.start > address) await mm.mprotect(address, refused.start - address, prot)
  }

  async #mmap(event: CallEvent, call: MmapCall, space: KnownSpace): Promise<void> {
    const { length, prot, offset, result } = call
    const file = call.file && this.#objects.file(call.file)
    const fixed = (call.flags & MAP_FIXED) !== 0 && (call.flags & MAP_FIXED_NOREPLACE) === 0
    // Locked memory is populated; that it stays is no matter to a model that never swaps.
    const populates = space.locksFuture || (call.flags & MAP_LOCKED) !== 0
    const droppable = (call.flags & MAP.MAP_DROPPABLE) !== 0
    const dropped = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_LOCKED | MAP.MAP_DROPPABLE
    const flags = (call.flags & ~dropped) | (populates ? MAP_POPULATE : 0) | (droppable ? MAP_PRIVATE | MAP_NORESERVE : 0)
    if (fixed || !(await this.#mapWhereFree(space.mm, call, flags, file))) {
      if (!fixed) await this.#makeRoom(event, pagesFrom(result, length), space)
      await space.mm.mmap(result, length, prot, flags | MAP_FIXED, file, offset)
    }
    // Nothing is dropped in a model that never swaps; but a child gets zeros. Linux: VM_DROPPABLE implies VM_WIPEONFORK.
    if (droppable) await space.mm.madvise(result, length, MADV_WIPEONFORK)
  }

  /** False when something is mapped there already. */
  async #mapWhereFree(mm: Mm, { result, length, prot, offset }: MmapCall, flags: number, file: VmFile | undefined): Promise<boolean> {
    try {
      await mm.mmap(result, length, prot, flags | MAP_FIXED_NOREPLACE, file, offset)
      return true
    } catch (error) {
      if (isMmuNotifierError(error, 'EEXIST')) return false
      throw error
    }
  }

  async #mremap(event: CallEvent, call: MremapCall, space: KnownSpace): Promise<void> {
    const { address, oldLength, newLength, flags, result } = call
    await this.#assume(space, pagesFrom(address, oldLength))
    if (result !== address) {
      if (!(flags & MREMAP_FIXED)) await this.#makeRoom(event, pagesFrom(result, newLength), space)
      await space.mm.mremap(address, oldLength, newLength, MREMAP_MAYMOVE | MREMAP_FIXED | (flags & MREMAP_DONTUNMAP), result)
      return
    }
    await this.#makeRoom(event, { start: address + pageAlign(oldLength), end: address + pageAlign(newLength) }, space)
    await space.mm.mremap(address, oldLength, newLength, 0)
  }

  /** The first brk tells where the heap begins. A failed one returns the old end. */
  async #brk(event: CallEvent, { end, result }: CallOf<'brk'>, space: KnownSpace): Promise<void> {
    if (space.brk === undefined) {
      if (end === result) this.report(event, 'brk: moves the end of a heap whose start is not known')
      space.mm.setBrk(result)
    } else if (end === result && result !== space.brk) {
      await this.#makeRoom(event, { start: pageAlign(space.brk), end: pageAlign(result) }, space)
      const got = await space.mm.brk(result)
      if (space.locksFuture) await populate(space.mm, { start: pageAlign(space.brk), end: pageAlign(result) })
      if (got !== result) this.report(event, `brk: the kernel moved the end to ${hex(result)}, the model leaves it at ${hex(got)}`)
    } else if (result !== space.brk) {
      this.report(event, `brk: the heap ends at ${hex(result)}, the model's at ${hex(space.brk)}`)
      space.mm.setBrk(Math.min(space.brk, result), result)
    }
    space.brk = result
  }

  async #shmat(event: CallEvent, call: CallOf<'shmat'>, space: KnownSpace): Promise<void> {
    const segment = this.#objects.findSegment(call.id)
    if (!segment) {
      this.report(event, `shmat: segment ${call.id} is from before the recording, its size is not known`)
      return
    }
    const prot = PROT_READ | (call.flags & SHM.SHM_RDONLY ? 0 : PROT_WRITE) | (call.flags & SHM.SHM_EXEC ? PROT_EXEC : 0)
    if (!(call.flags & SHM.SHM_REMAP)) await this.#makeRoom(event, pagesFrom(call.result, segment.size), space)
    await space.mm.mmap(call.result, segment.size, prot, MAP_SHARED | MAP_FIXED | (space.locksFuture ? MAP_POPULATE : 0), segment.file)
  }

  /** What is left of one attachment: the pieces of the segment that are where its start would be at `address`. */
  async #shmdt(address: number, mm: Mm): Promise<void> {
    const attached = [...mm.vmas()].filter((vma) => vma.file?.kind === 'shm' && vma.start - vma.offset === address)
    const pieces = attached.filter((vma) => vma.file === attached[0]?.file).map(({ start, end }) => ({ start, end }))
    for (const { start, end } of pieces) await mm.munmap(start, end - start)
  }

  async #fallocate({ file, mode, offset, length }: CallOf<'fallocate'>): Promise<void> {
    const known = this.#objects.known(file)
    const zeros = FALLOC.FALLOC_FL_PUNCH_HOLE | FALLOC.FALLOC_FL_ZERO_RANGE
    const moves = FALLOC.FALLOC_FL_COLLAPSE_RANGE | FALLOC.FALLOC_FL_INSERT_RANGE
    if (mode & zeros && length > 0) await known?.punchHole(offset, length)
    else if (mode & moves) await forgetBehind(known, offset)
  }

  /**
   * The kernel chose `range`, so it was free. Where the model still has pages, calls that free them are through in the kernel, though their
   * results come later in the text; they are applied now. What remains is reported.
   */
  async #makeRoom(event: CallEvent, range: Range, space: KnownSpace): Promise<void> {
    if (range.start >= range.end || mappedIn(space.mm, range).length === 0) return
    for (const other of [...space.inFlight]) {
      if (other === event || !freedBy(other.call, space.brk ?? 0).some((piece) => overlap(piece, range))) continue
      this.earlyApplied++
      await this.apply(other, space)
    }
    const [left] = mappedIn(space.mm, range)
    if (left) this.report(event, `${event.call.name}: the kernel gave away ${hex(range.start)}, the model has ${hex(left.start)} mapped`)
  }

  /** In a map that nobody told, memory is where a call succeeded on it. */
  async #assume({ mm, assumed }: KnownSpace, range: Range): Promise<void> {
    if (!assumed) return
    for (const { start, end } of holesIn(mm, range)) {
      this.assumedRanges++
      await mm.mmap(start, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE)
    }
  }
}
