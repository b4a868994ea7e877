import { MmuNotifierError, type Kernel, type Task } from '@mmu-notifier/kernel'
import { INVARIANTS, type Invariant } from './invariant-table.ts'
import { hex, type AddressRange } from './interval.ts'
import type { IntervalNotifier, Notifier } from './notifier.ts'
import type { InvalidateRange } from './ops.ts'
import type { Operations } from './operations.ts'
import type { Range } from './range.ts'
import type { NotifierSubscriptions } from './subscriptions.ts'

export interface InvariantsOptions {
  /** The class of the lock that orders callbacks against readers: without it I9 and I10 do not ask for it. */
  readonly userLock?: string
  /** What to do with a violation. Default: throws it, an `MmuNotifierError` with the code INVARIANT, at the step that shows it. */
  readonly report?: (violation: MmuNotifierError) => void
}

/** What is known of an invalidation under way. */
interface Open {
  readonly task: Task
  /** In the tree when it started, and in its range. */
  readonly due: Set<Notifier>
  readonly version: number
  /** It has made or found the sequence odd. */
  readonly froze: boolean
  started: boolean
  finishes: number
}

/** What a task is doing. */
interface Doing {
  /** Callbacks that it is in, innermost last. */
  readonly callbacks: { readonly notifier: Notifier; readonly range: Range; told: boolean }[]
  /** What readBegin returned last, by notifier. */
  readonly begun: Map<IntervalNotifier, number>
  /** readRetry has said false, and the task has not begun anew. */
  granted: boolean
}

/**
 * I1 to I20 of one address space, checked while it runs: attach it, run anything, {@link close} it. It listens to the tracepoints of this package; what only the page tables and the device know, the four
 * methods tell it ({@link changes}, {@link reads}, {@link unmaps}, {@link programs}): call them where that happens, in the task that does it.
 */
export class Invariants {
  readonly #kernel: Kernel
  readonly #operations: Operations
  readonly #userLock: string | undefined
  readonly #report: (violation: MmuNotifierError) => void
  readonly #open = new Map<InvalidateRange, Open>()
  readonly #uncounted = new Set<InvalidateRange>()
  readonly #doing = new WeakMap<Task, Doing>()
  readonly #called = new Map<Notifier, number>()
  readonly #off: (() => void)[] = []
  #active: number
  #released = false
  #checks = 0

  constructor(kernel: Kernel, notifiers: NotifierSubscriptions, { userLock, report }: InvariantsOptions = {}) {
    this.#kernel = kernel
    this.#operations = notifiers.operations
    this.#active = notifiers.active
    this.#userLock = userLock
    this.#report = report ?? ((violation) => { throw violation })
    const ours = (notifier: IntervalNotifier): boolean => (notifier as Notifier).operations === this.#operations
    const on = kernel.on.bind(kernel)
    this.#off.push(
      on('mmu_notifier:range_start', (range, of) => { if (of === notifiers) this.#rangeStart(range as Range) }),
      on('mmu_notifier:range_started', (range, of, done) => { if (of === notifiers) this.#rangeStarted(range, done) }),
      on('mmu_notifier:range_end', (range, of) => { if (of === notifiers) this.#rangeEnd(range) }),
      on('mmu_notifier:tree_lock', (of) => { if (of === notifiers) this.#counted(1) }),
      on('mmu_notifier:tree_unlock', (of) => { if (of === notifiers) this.#counted(-1) }),
      on('mmu_notifier:invalidate', (notifier, range) => { if (ours(notifier)) this.#call(notifier as Notifier, range as Range) }),
      on('mmu_notifier:invalidated', (notifier, range, done, finishes) => { if (ours(notifier)) this.#calledBack(notifier as Notifier, range, done, finishes) }),
      on('mmu_notifier:finish', (range) => { const open = this.#open.get(range); if (open) open.finishes-- }),
      on('mmu_notifier:set_seq', (notifier, seq) => { if (ours(notifier)) this.#setSeq(notifier, seq) }),
      on('mmu_notifier:insert', (notifier) => { if (ours(notifier)) this.#inserted([notifier as Notifier]) }),
      on('mmu_notifier:batch', (_, inserted, updated) => { if ([...inserted, ...updated].some(ours)) this.#inserted([...inserted, ...updated.filter(({ dying }) => !dying)] as Notifier[]) }),
      on('mmu_notifier:apply', (applied) => { if (applied.some(ours)) this.#applied() }),
      on('mmu_notifier:read_begin', (notifier, seq) => { if (ours(notifier)) this.#begun(notifier, seq) }),
      on('mmu_notifier:read_retry', (notifier, seq, retry) => { if (ours(notifier)) this.#retried(notifier, seq, retry) }),
      on('mmu_notifier:removed', (notifier) => { if (ours(notifier)) this.#removed(notifier as Notifier) }),
      on('mmu_notifier:release', (notifier) => { if (ours(notifier)) this.#removed(notifier as Notifier) }),
      on('mmu_notifier:teardown', (of) => { if (of === notifiers) this.#ask('I19', this.#released, 'the page tables go before every interval was told') }),
    )
  }

  /** Events that were checked. */
  get checks(): number {
    return this.#checks
  }

  /** Stops listening. */
  close(): void {
    for (const off of this.#off) off()
  }

  /** The current task changes CPU page-table entries of `range`, in bytes. I17. */
  changes(range: AddressRange): void {
    const task = this.#kernel.current
    const inside = [...this.#open].some(([of, open]) => open.task === task && open.started && of.start <= range.start && range.end <= of.end)
    this.#ask('I17', inside, `task ${task.name} changes [${hex(range.start)}, ${hex(range.end)}) outside of an invalidation of it`)
  }

  /** The current task reads CPU page-table entries for a device. I11, I20. */
  reads(): void {
    const task = this.#kernel.current
    this.#ask('I11', this.#by(task).begun.size > 0, `task ${task.name} reads page tables before any readBegin`)
    this.#ask('I20', task.held.some(({ instance }) => instance === this.#operations.mm.mmapLock), `task ${task.name} reads page tables without the mmap lock`)
  }

  /** The current task unmaps something from the device. I9. */
  unmaps(): void {
    const callback = this.#by(this.#kernel.current).callbacks.at(-1)
    if (callback) this.#ask('I9', callback.told, `a callback unmaps before setSeq`)
  }

  /** The current task maps something into the device. I10. */
  programs(): void {
    const task = this.#kernel.current
    this.#ask('I10', this.#by(task).granted, `task ${task.name} programs the device without a readRetry that said false`)
    this.#underUserLock('I10', task, 'programs the device')
  }

  #rangeStart(range: Range): void {
    const { protocol, treeVersion } = this.#operations
    if (protocol.active === this.#active) {
      this.#uncounted.add(range)
      return
    }
    this.#counted(1)
    const due = new Set<Notifier>()
    for (let handle = protocol.tree.findFirst(range.start, range.end - 1); handle >= 0; handle = protocol.tree.findNext(handle, range.start, range.end - 1)) {
      const entry = protocol.entries[handle]
      if (entry) due.add(entry)
    }
    this.#open.set(range, { task: this.#kernel.current, due, version: treeVersion.value, froze: protocol.frozen, started: false, finishes: 0 })
  }

  #rangeStarted(range: InvalidateRange, done: boolean): void {
    const open = this.#open.get(range)
    if (!done) {
      this.#ask('I15', !open, `the refused invalidation of ${name(range)} is still open`)
      return
    }
    if (!open) return
    open.started = true
    this.#ask('I8', open.due.size === 0, `${open.due.size} intervals in ${name(range)} were not told of it`)
    this.#ask('I18', open.finishes === 0, `${open.finishes} second passes of ${name(range)} were not run`)
  }

  #rangeEnd(range: InvalidateRange): void {
    if (this.#uncounted.delete(range)) {
      if (range.event === 'release') this.#released = true
      return
    }
    const open = this.#open.get(range)
    this.#open.delete(range)
    if (open?.froze) this.#ask('I3', open.version === this.#operations.treeVersion.value, `the tree has changed during the invalidation of ${name(range)}`)
    if (open && range.event === 'release') this.#released = open.due.size === 0
    this.#counted(-1)
  }

  /** One more or less; an end is told before it is counted. */
  #counted(by: 1 | -1): void {
    const { active } = this.#operations.protocol
    if (by === 1) this.#active++
    this.#ask('I1', active === this.#active, `${active} invalidations and tree locks are counted, ${this.#active} are open`)
    if (by === -1) this.#active--
    this.#consistent()
  }

  #call(notifier: Notifier, range: Range): void {
    const { lock, protocol } = this.#operations
    const { current } = this.#kernel
    this.#ask('I7', !current.held.some(({ instance }) => instance === lock), 'a callback runs under the spinlock')
    this.#ask('I7', range.seq % 2 === 1 && range.seq === protocol.seq.value, `a callback gets ${range.seq} in the period ${protocol.seq.value}`)
    this.#by(current).callbacks.push({ notifier, range, told: false })
    this.#called.set(notifier, (this.#called.get(notifier) ?? 0) + 1)
  }

  #calledBack(notifier: Notifier, range: InvalidateRange, done: boolean, finishes: boolean): void {
    const callback = this.#by(this.#kernel.current).callbacks.pop()
    this.#called.set(notifier, (this.#called.get(notifier) ?? 1) - 1)
    const { seq } = this.#operations.protocol
    this.#ask('I7', callback?.range.seq === seq.value, 'the period has ended during a callback')
    if (!done) return
    this.#ask('I9', callback?.told === true || range.owner !== undefined, `a callback of ${range.event} has returned true without setSeq`)
    const open = this.#open.get(range)
    open?.due.delete(notifier)
    if (open && finishes) open.finishes++
  }

  #setSeq(notifier: IntervalNotifier, seq: number): void {
    const { current } = this.#kernel
    const callback = this.#by(current).callbacks.at(-1)
    this.#ask('I4', seq % 2 !== 0, `setSeq(${seq}): not odd`)
    this.#ask('I5', callback?.notifier === notifier && callback.range.seq === seq, `setSeq(${seq}) is not the number that a callback of this notifier got`)
    if (callback) callback.told = true
    this.#underUserLock('I9', current, 'calls setSeq')
  }

  #inserted(inserted: readonly Notifier[]): void {
    const { protocol, memory } = this.#operations
    for (const { seq, start, last } of inserted) {
      this.#ask('I4', seq.value % 2 !== 0, `[${hex(start)}, ${hex(last)}] is born with ${seq.value}`)
      if (protocol.active > 0) this.#ask('I6', seq.value === protocol.seq.value, `[${hex(start)}, ${hex(last)}] is born with ${seq.value} in the period ${protocol.seq.value}`)
    }
    this.#ask('I14', !memory.freed, 'an interval is registered with an address space that was freed')
    this.#consistent()
  }

  #applied(): void {
    const { protocol } = this.#operations
    this.#ask('I12', !protocol.frozen && protocol.deferred.length === 0, 'deferred operations are applied, and the sequence is odd or some are left')
  }

  #begun(notifier: IntervalNotifier, seq: number): void {
    const doing = this.#by(this.#kernel.current)
    doing.begun.set(notifier, seq)
    doing.granted = false
  }

  #retried(notifier: IntervalNotifier, seq: number, retry: boolean): void {
    const task = this.#kernel.current
    const doing = this.#by(task)
    this.#ask('I11', doing.begun.get(notifier) === seq, `task ${task.name} asks readRetry with ${seq}, which readBegin did not give it`)
    doing.granted = !retry
  }

  /** By `remove`, or about to be released. */
  #removed(notifier: Notifier): void {
    const { protocol, memory } = this.#operations
    const reachable = notifier.handle >= 0 || protocol.deferred.includes(notifier)
    this.#ask('I13', !reachable && (this.#called.get(notifier) ?? 0) === 0, 'a removed interval is in the tree, deferred, or being called')
    this.#ask('I14', !memory.freed, 'an interval outlives its address space')
  }

  /** Looked at in critical sections. */
  #consistent(): void {
    const { active, frozen, deferred } = this.#operations.protocol
    this.#ask('I2', !frozen || active > 0, 'the sequence is odd and nothing is open')
    this.#ask('I12', frozen || deferred.length === 0, `the sequence is even and ${deferred.length} operations are deferred`)
  }

  #underUserLock(invariant: Invariant, task: Task, what: string): void {
    const { held } = task
    this.#ask(invariant, this.#userLock === undefined || held.some(({ lockClass }) => lockClass === this.#userLock), `task ${task.name} ${what} without ${this.#userLock ?? ''}`)
  }

  #by(task: Task): Doing {
    let doing = this.#doing.get(task)
    if (!doing) this.#doing.set(task, (doing = { callbacks: [], begun: new Map(), granted: false }))
    return doing
  }

  #ask(invariant: Invariant, holds: boolean, otherwise: string): void {
    this.#checks++
    if (!holds) this.#report(new MmuNotifierError('INVARIANT', `INVARIANT  ${invariant}: ${otherwise}\n  ${INVARIANTS[invariant].says}`))
  }
}

function name({ start, end }: AddressRange): string {
  return `[${hex(start)}, ${hex(end)})`
}
