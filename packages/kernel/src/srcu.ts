import { mightSleep, splat, type HeldLock, type Lockdep } from './lockdep.ts'
import { operation, type Operation, type Scheduler, type Target } from './scheduler.ts'
import { Span, WAIT_OUT } from './span.ts'
import { byTask } from './task.ts'

/** A read section that a task is in: what {@link Srcu.readUnlock} ends. Linux: the index that `srcu_read_lock()` returns. */
export interface SrcuSection {
  readonly lockClass: string
}

/**
 * Read sections that may sleep, and whom nobody makes wait; and the wait for the end of those that run now. Linux: `struct srcu_struct`.
 *
 * The lock validator sees that wait: {@link synchronize} under a lock that a reader takes is reported, whether or not the two have met.
 */
export interface Srcu {
  readonly name: string
  /** Sections nest, and are ended by the task that began them. */
  readLock(): Promise<SrcuSection>
  /** Throws LOCKDEP when the task is not in `section`. */
  readUnlock(section: SrcuSection): Promise<void>
  /** `readLock`, `body`, `readUnlock`, whatever `body` does. */
  read<T>(body: () => Promise<T>): Promise<T>
  /** Waits until every section that has begun is over; those that begin meanwhile are not waited for. Linux: `synchronize_srcu()`. */
  synchronize(): Promise<void>
}

export class KernelSrcu implements Srcu, Target {
  id = 0
  readonly name: string
  readonly scheduler: Scheduler
  readonly lockdep: Lockdep
  /** The sections that have begun and are not over. */
  readonly sections: Set<Span> = new Set<Span>()
  /** What {@link synchronize} is in the order of locks. */
  readonly #writer: HeldLock

  constructor(scheduler: Scheduler, lockdep: Lockdep, name: string) {
    this.scheduler = scheduler
    this.lockdep = lockdep
    this.name = name
    this.#writer = { instance: this, lockClass: name, mode: 'write', spins: false }
  }

  readLock(): Promise<SrcuSection> {
    const section = new Span(this, this.name, 'read', this.scheduler.current)
    this.scheduler.created?.(section)
    return this.scheduler.step(READ_LOCK, this, section, undefined)
  }

  readUnlock(section: SrcuSection): Promise<void> {
    return this.scheduler.step(READ_UNLOCK, section as Span, this, undefined)
  }

  async read<T>(body: () => Promise<T>): Promise<T> {
    const section = await this.readLock()
    try {
      return await body()
    } finally {
      await this.readUnlock(section)
    }
  }

  async synchronize(): Promise<void> {
    const task = this.scheduler.current
    mightSleep(task, 'synchronize', this.name)
    this.lockdep.check(task, this.#writer)
    for (const section of await this.scheduler.step(SNAPSHOT, this, undefined, undefined)) await this.scheduler.step(WAIT_OUT, section, undefined, undefined)
  }
}

/*
 * Readers commute: their steps only read the domain, and what they add to `sections` has no order that anybody sees. The snapshot is the write that has them before it or
 * after it; from then on each section is waited for by itself.
 */

const READ_LOCK: Operation<KernelSrcu, Span, undefined, Span> = operation({
  kind: 'lock',
  note: '(read)',
  access: 'read',
  perform({ scheduler, sections }, section) {
    scheduler.current.held.push(section)
    sections.add(section)
    return section
  },
})

const READ_UNLOCK: Operation<Span, KernelSrcu, undefined, void> = operation({
  kind: 'unlock',
  note: '(read)',
  access: 'write',
  perform(section, domain) {
    const { scheduler, lockdep, name, sections } = domain
    if (section.instance !== domain) splat(scheduler.current, `ends a section of ${section.lockClass} as one of ${name}`)
    lockdep.released(scheduler.current, section)
    scheduler.touched?.(domain, 'read')
    sections.delete(section)
    section.state = true
  },
})

const SNAPSHOT: Operation<KernelSrcu, undefined, undefined, Span[]> = operation({
  kind: 'synchronize',
  access: 'write',
  // Those of one task are in the order in which it began them.
  perform: ({ sections }) => [...sections].sort(byTask),
})
