import type { Cell, Completion, Kernel, RwSemaphore, SeqCount, SpinLock, Srcu, WaitQueue, WorkQueue } from '@mmu-notifier/kernel'
import { program } from './programs.ts'

/** Small programs around one primitive that waits, whose traces can be counted by hand. */
type Program = ReturnType<typeof program>

const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))

/** n sleep for good, and one wake-up. */
export const wakeOne = (n: number): Program =>
  program(
    (kernel: Kernel) => ({ queue: kernel.waitQueue('queue'), never: kernel.cell('never', 0) }),
    ...times(n, () => ({ queue, never }: { queue: WaitQueue; never: Cell<number> }) => queue.until(() => never.value === 1)),
    ({ queue }) => queue.wakeOne(),
  )

/** `given` completions by one task, one after the other, and a task for each wait. */
export const completion = (waiters: number, given: number): Program =>
  program(
    (kernel: Kernel) => kernel.completion('done'),
    async (done: Completion) => { for (let i = 0; i < given; i++) await done.complete() },
    ...times(waiters, () => (done: Completion) => done.wait()),
  )

/** A wait that could not have come before what it waits for, with a step beside it that has nothing to do with either. */
export const completionBeside = (): Program =>
  program(
    (kernel: Kernel) => ({ done: kernel.completion('done'), x: kernel.cell('x', 0) }),
    ({ done }) => done.complete(),
    ({ x }) => x.write(1),
    ({ done }) => done.wait(),
  )

export const completeAll = (waiters: number): Program =>
  program((kernel: Kernel) => kernel.completion('done'), (done: Completion) => done.completeAll(), ...times(waiters, () => (done: Completion) => done.wait()))

export const tryWait = (triers: number): Program =>
  program((kernel: Kernel) => kernel.completion('done'), (done: Completion) => done.completeAll(), ...times(triers, () => async (done: Completion) => { await done.tryWait() }))

/** One writes once; each of n reads once, and does not repeat it. */
export const seqCount = (readers: number): Program =>
  program(
    (kernel: Kernel) => kernel.seqCount('seq'),
    async (seq: SeqCount) => {
      await seq.writeBegin()
      await seq.writeEnd()
    },
    ...times(readers, () => async (seq: SeqCount) => { await seq.readRetry(await seq.readBegin()) }),
  )

export const synchronize = (readers: number, synchronizers: number): Program =>
  program(
    (kernel: Kernel) => kernel.srcu('srcu'),
    ...times(readers, () => (srcu: Srcu) => srcu.read(async () => undefined)),
    ...times(synchronizers, () => (srcu: Srcu) => srcu.synchronize()),
  )

/** Setup holds the lock, so n trylocks fail, and commute. */
export const spinTryLock = (n: number): Program =>
  program(
    async (kernel: Kernel) => {
      const lock = kernel.spinLock('lock')
      await lock.lock()
      return lock
    },
    ...times(n, () => async (lock: SpinLock) => { await lock.tryLock() }),
  )

/** As {@link spinTryLock}, with a lock that setup holds for read or write. */
export const rwTryLock = (n: number, held: 'read' | 'write', tries: (lock: RwSemaphore) => Promise<unknown>): Program =>
  program(
    async (kernel: Kernel) => {
      const lock = kernel.rwSemaphore('lock')
      await (held === 'read' ? lock.lockRead() : lock.lockWrite())
      return lock
    },
    ...times(n, () => async (lock: RwSemaphore) => { await tries(lock) }),
  )

/** Each of n queues one item; one more flushes. */
export const workQueue = (n: number): Program =>
  program(
    (kernel: Kernel) => kernel.workQueue('work'),
    ...times(n, () => (work: WorkQueue) => work.queue(async () => undefined)),
    (work: WorkQueue) => work.flush(),
  )
