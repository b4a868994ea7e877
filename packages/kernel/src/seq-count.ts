import { Lock } from './lock.ts'
import { splat, type HeldLock, type How, type Lockdep } from './lockdep.ts'
import { operation, type Operation, type Scheduler } from './scheduler.ts'

/**
 * Lets readers notice that a writer came in between, and never makes a writer wait. Writers are serialised by a lock of their own. Linux: `seqcount_t`.
 *
 * ```ts
 * do {
 *   sequence = await seq.readBegin()
 *   value = await cell.read()
 * } while (await seq.readRetry(sequence))
 * ```
 */
export interface SeqCount {
  readonly name: string
  /** Begins to write: from here to {@link writeEnd} the count is odd, and the task must not sleep. Throws LOCKDEP while another task writes. */
  writeBegin(): Promise<void>
  /** Throws LOCKDEP when the task does not write. */
  writeEnd(): Promise<void>
  /** Waits while the count is odd, which stands for the spinning of `read_seqcount_begin()`. @returns the count */
  readBegin(): Promise<number>
  /** @returns true when somebody has begun to write since {@link readBegin} returned `sequence`: what was read is worth nothing */
  readRetry(sequence: number): Promise<boolean>
}

export class KernelSeqCount extends Lock implements SeqCount {
  /** How a reader who spins counts in the order of locks. */
  readonly reader: HeldLock
  /** Odd while somebody writes. */
  state = 0

  constructor(scheduler: Scheduler, lockdep: Lockdep, name: string) {
    super(scheduler, lockdep, name, true)
    this.reader = { instance: this, lockClass: name, mode: 'read', spins: true }
  }

  writeBegin(): Promise<void> {
    return this.acquire(WRITE_BEGIN, this, NEVER_WAITS, undefined)
  }

  writeEnd(): Promise<void> {
    return this.scheduler.step(WRITE_END, this, undefined, undefined)
  }

  readBegin(): Promise<number> {
    return this.acquire(READ_BEGIN, this.reader, undefined, undefined)
  }

  readRetry(sequence: number): Promise<boolean> {
    return this.scheduler.step(READ_RETRY, this, sequence, undefined)
  }

  /** @throws LOCKDEP while somebody writes */
  mustNotBeWritten(): void {
    if (this.state % 2 === 1) splat(this.scheduler.current, `begins to write under ${this.name} while another task does: nothing serialises the writers`)
  }
}

const NEVER_WAITS: How = { tryLock: true }

const WRITE_BEGIN: Operation<KernelSeqCount, undefined, undefined, void> = operation({
  kind: 'write',
  note: '(begin)',
  access: 'write',
  perform(seq) {
    seq.mustNotBeWritten()
    seq.acquired()
    seq.state++
  },
})

const WRITE_END: Operation<KernelSeqCount, undefined, undefined, void> = operation({
  kind: 'write',
  note: '(end)',
  access: 'write',
  perform(seq) {
    seq.released()
    seq.state++
  },
})

const isEven = (count: unknown): boolean => (count as number) % 2 === 0

const READ_BEGIN: Operation<KernelSeqCount, undefined, undefined, number> = operation({
  kind: 'read',
  note: '(begin)',
  access: 'read',
  enabled: ({ state }) => isEven(state),
  possible: isEven,
  perform: ({ state }) => state,
})

const READ_RETRY: Operation<KernelSeqCount, number, undefined, boolean> = operation({
  kind: 'read',
  note: '(retry)',
  access: 'read',
  perform: ({ state }, sequence) => state !== sequence,
})
