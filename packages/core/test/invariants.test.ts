import { createKernel, isMmuNotifierError, type Kernel, type Mutex } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { Invariants, INVARIANTS, NotifiedMm, type IntervalNotifier, type IntervalNotifierOps, type Invariant, type NotifierSubscriptions } from '../src/index.ts'
import { Operations, Protocol, type Applied, type Notifier, type Word } from '../src/steps.ts'

interface Rig {
  readonly kernel: Kernel
  readonly mm: NotifiedMm
  readonly notifiers: NotifierSubscriptions
  readonly lock: Mutex
  readonly seen: string[]
  readonly invariants: Invariants
}

type Ops = new (kernel: Kernel, mm: NotifiedMm) => Operations

function rig(operations: Ops = Operations): Rig {
  const kernel = createKernel()
  const mm = new NotifiedMm(kernel, 'mm', { operations: (k, of) => new operations(k, of) })
  const seen: string[] = []
  const invariants = new Invariants(kernel, mm.notifiers, { userLock: 'driver.lock', report: ({ message }) => { seen.push(message) } })
  return { kernel, mm, notifiers: mm.notifiers, lock: kernel.mutex('driver.lock'), seen, invariants }
}

/** A core whose sections are those of `protocol`. */
function sections(protocol: new (seq: Word<number>, version: Word<number>) => Protocol<Notifier>): Ops {
  return class extends Operations {
    protected override createProtocol(): Protocol<Notifier> {
      return new protocol(this.kernel.cell('seq', 2), this.treeVersion)
    }
  }
}

const nothing = async (): Promise<void> => undefined

function right({ lock, invariants }: Rig): IntervalNotifierOps {
  return {
    async invalidate(notifier, range, seq) {
      if (!(await lock.lockFor(range))) return false
      await notifier.setSeq(seq)
      invariants.unmaps()
      await lock.unlock()
      return async () => undefined
    },
  }
}

async function read(r: Rig, notifier: IntervalNotifier): Promise<void> {
  const seq = await notifier.readBegin()
  await r.mm.mmapLock.read(async () => { r.invariants.reads() })
  await r.lock.with(async () => { if (!(await notifier.readRetry(seq))) r.invariants.programs() })
}

test('a run that keeps them all', async () => {
  const r = rig()
  const ops = right(r)
  const x = await r.notifiers.insert({ start: 0, last: 9 }, ops)
  await read(r, x)
  await r.notifiers.invalidate({ start: 0, end: 5, event: 'unmap' }, async () => {
    r.invariants.changes({ start: 0, end: 5 })
    await r.notifiers.insert({ start: 20, last: 29 }, ops)
  })
  const tree = await r.notifiers.lockTree()
  await tree.batch({ remove: [x], insert: [{ interval: { start: 5, last: 9 }, ops }] })
  await r.kernel.spawn('cpu', () => r.notifiers.invalidate({ start: 0, end: 30, event: 'clear' }, nothing)).join()
  await tree.unlock()
  await r.mm.mmput()
  expect(r.seen).toEqual([])
  expect(r.invariants.checks).toBeGreaterThan(50)
  r.invariants.close()
})

class DoubleEnd extends Protocol<Notifier> {
  override end(): Applied<Notifier> | undefined {
    super.end()
    return super.end()
  }
}
class StaysOdd extends Protocol<Notifier> {
  override end(): undefined {
    this.active--
    return undefined
  }
}
class AtOnce extends Protocol<Notifier> {
  override insert(entry: Notifier): void {
    this.enter(entry)
    entry.seq.value = this.seq.value
  }
}
class EvenBirth extends Protocol<Notifier> {
  protected override before(seq: number): number { return seq }
}
class OldBirth extends Protocol<Notifier> {
  override insert(entry: Notifier): void {
    super.insert(entry)
    entry.seq.value = 1
  }
}
class KeepsDeferred extends Protocol<Notifier> {
  protected override apply(): Applied<Notifier> {
    return { applied: this.deferred, released: [] }
  }
}
class Impatient extends Operations {
  protected override async periodOver(): Promise<void> {
    // does not wait
  }
}
class SkipsFirst extends Operations {
  protected override async walk(): Promise<boolean> {
    return true
  }
}
class StartsOnly extends Operations {
  protected override async finish(): Promise<void> {
    // nobody waits
  }
}
class Forgets extends Operations {
  protected override async refusedByClassic(): Promise<void> {
    // MAIN-1
  }
}

const hit = (r: Rig): Promise<void> => r.notifiers.invalidate({ start: 0, end: 5, event: 'clear' }, nothing)
const withX = async (r: Rig, ops = right(r)): Promise<IntervalNotifier> => r.notifiers.insert({ start: 0, last: 9 }, ops)
const callback = (invalidate: IntervalNotifierOps['invalidate']): IntervalNotifierOps => ({ invalidate })

test.each<[Invariant, string, Ops | undefined, (r: Rig) => Promise<unknown>]>([
  ['I1', 'an end is counted twice', sections(DoubleEnd), async (r) => { await withX(r); const tree = await r.notifiers.lockTree(); await r.kernel.spawn('cpu', () => hit(r)).join(); await tree.unlock() }],
  ['I2', 'the last end leaves S odd', sections(StaysOdd), async (r) => { await withX(r); await hit(r); await r.notifiers.insert({ start: 50, last: 51 }, right(r)) }],
  ['I3', 'an insert goes into a frozen tree', sections(AtOnce), async (r) => { await withX(r); await r.notifiers.invalidate({ start: 0, end: 5, event: 'clear' }, async () => { await r.notifiers.insert({ start: 50, last: 51 }, right(r)) }) }],
  ['I4', 'an insert is born even', sections(EvenBirth), (r) => withX(r)],
  ['I4', 'setSeq is even', undefined, async (r) => { await withX(r, callback(async (n, _range, seq) => { await n.setSeq(seq + 1); return true })); await hit(r) }],
  ['I5', 'setSeq sets another number', undefined, async (r) => { await withX(r, callback(async (n, _range, seq) => { await n.setSeq(seq - 2); return true })); await hit(r) }],
  ['I6', 'an insert in a frozen tree is born with an old number', sections(OldBirth), async (r) => { const tree = await r.notifiers.lockTree(); await withX(r); await tree.unlock() }],
  ['I7', 'the end of another task is counted twice, and ends the period of a callback', sections(DoubleEnd), async (r) => { await withX(r, callback(async (n, _range, seq) => { await n.setSeq(seq); await r.kernel.spawn('cpu', async () => { await (await r.notifiers.lockTree()).unlock() }).join(); return true })); await hit(r) }],
  ['I8', 'an interval is not called', SkipsFirst, async (r) => { await withX(r); await hit(r) }],
  ['I9', 'a callback without setSeq', undefined, async (r) => { await withX(r, callback(async () => true)); await hit(r) }],
  ['I9', 'setSeq without the user lock', undefined, async (r) => { await withX(r, callback(async (n, _range, seq) => { await n.setSeq(seq); return true })); await hit(r) }],
  ['I9', 'the unmap comes first', undefined, async (r) => { await withX(r, callback((n, _range, seq) => r.lock.with(async () => { r.invariants.unmaps(); await n.setSeq(seq); return true }))); await hit(r) }],
  ['I10', 'nobody has asked readRetry', undefined, async (r) => { const x = await withX(r); await x.readBegin(); await r.lock.with(async () => { r.invariants.programs() }) }],
  ['I10', 'the device is programmed after the unlock', undefined, async (r) => { const x = await withX(r); const seq = await x.readBegin(); await r.lock.with(() => x.readRetry(seq)); r.invariants.programs() }],
  ['I11', 'readRetry gets a number of its own', undefined, async (r) => { const x = await withX(r); await x.readRetry(1) }],
  ['I11', 'the page tables are read before readBegin', undefined, async (r) => { await withX(r); await r.mm.mmapLock.read(async () => { r.invariants.reads() }) }],
  ['I12', 'deferred operations stay', sections(KeepsDeferred), async (r) => { const tree = await r.notifiers.lockTree(); await withX(r); await tree.unlock() }],
  ['I13', 'remove does not wait', Impatient, async (r) => { const x = await withX(r); const range = await r.notifiers.invalidateRangeStart({ start: 0, end: 1, event: 'clear' }); await x.remove(); await r.notifiers.invalidateRangeEnd(range) }],
  ['I14', 'the address space goes first', undefined, async (r) => { const x = await withX(r); r.notifiers.destroy(); r.kernel.trace('mmu_notifier:release', x) }],
  ['I15', 'a refused invalidation stays open (MAIN-1)', Forgets, async (r) => { await withX(r); await r.notifiers.register({ invalidateRangeStart: async () => false }); await r.notifiers.invalidateRangeStartNonblock({ start: 0, end: 1, event: 'clear' }) }],
  ['I17', 'an entry is changed outside of an invalidation', undefined, async (r) => { await withX(r); await hit(r); r.invariants.changes({ start: 0, end: 1 }) }],
  ['I17', 'an entry beside the range', undefined, async (r) => { await withX(r); await r.notifiers.invalidate({ start: 0, end: 5, event: 'clear' }, async () => { r.invariants.changes({ start: 4, end: 6 }) }) }],
  ['I18', 'second passes are not run', StartsOnly, async (r) => { await withX(r); await hit(r) }],
  ['I19', 'the end is not told', SkipsFirst, async (r) => { await withX(r); await r.mm.mmput() }],
  ['I20', 'no mmap lock', undefined, async (r) => { const x = await withX(r); await x.readBegin(); r.invariants.reads() }],
])('%s: %s', async (invariant, _what, operations, act) => {
  const r = rig(operations)
  await act(r).catch((error: unknown) => { if (!isMmuNotifierError(error) && !(error instanceof Error)) throw error })
  expect(r.seen.map((message) => /^INVARIANT {2}(I\d+): .*\n/.exec(message)?.[1])).toContain(invariant)
})

test('by default a violation is thrown, with what the invariant says', async () => {
  const kernel = createKernel()
  const { notifiers } = new NotifiedMm(kernel, 'mm')
  new Invariants(kernel, notifiers)
  await notifiers.insert({ start: 0, last: 9 }, callback(async () => true))
  await expect(notifiers.invalidate({ start: 0, end: 1, event: 'clear' }, nothing)).rejects.toThrow(`INVARIANT  I9: a callback of clear has returned true without setSeq\n  ${INVARIANTS.I9.says}`)
})
