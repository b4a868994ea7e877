import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { TASK_SIZE, type Mm } from '@mmu-notifier/mm'
import type { RecordedFault } from './faults.ts'
import type { Feed } from './feed.ts'
import type { ProcessTable, Task } from './processes.ts'

type FaultHook = (mm: Mm, fault: RecordedFault) => void | Promise<void>

export interface FaultCounts {
  /** Done by the CPU side of the model as well. */
  readonly performed: number
  /** The model has nothing there, or forbids the access: the program got a signal, or the kernel an error code. */
  readonly refused: number
  /** Of tasks whose map is not known. */
  readonly unknown: number
}

/**
 * Performs recorded page faults between the lines of the trace. Both are in order of time, and the time of a line is that of the entry of
 * its call, so the faults of a task fall in order with its own calls.
 */
export class FaultReplayer {
  readonly #faults: Feed<RecordedFault>
  readonly #table: ProcessTable
  readonly #hook: FaultHook | undefined
  readonly counts: { -readonly [K in keyof FaultCounts]: FaultCounts[K] } = { performed: 0, refused: 0, unknown: 0 }

  constructor(faults: Feed<RecordedFault>, table: ProcessTable, hook: FaultHook | undefined) {
    this.#faults = faults
    this.#table = table
    this.#hook = hook
  }

  /** All faults before a time. Those of a task inside execve wait for its new map. */
  async before(time: number): Promise<void> {
    for (;;) {
      if (this.#faults.dry) await this.#faults.fill()
      const next = this.#faults.head
      if (!next || next.time >= time) return
      this.#faults.take()
      const task = this.#table.task(next.task)
      if (task?.held) task.held.push(next)
      else await this.#perform(next, task)
    }
  }

  /** The new map of a task is there; when it is not that of its execve, what waited is older than it. */
  async release(task: Task, fits: boolean): Promise<void> {
    const held = task.held ?? []
    task.held = undefined
    if (fits) for (const fault of held) await this.#perform(fault, task)
    else this.counts.unknown += held.length
  }

  close(): Promise<void> {
    return this.#faults.close()
  }

  async #perform(fault: RecordedFault, task: Task | undefined): Promise<void> {
    const mm = task?.space.mm
    if (!mm) {
      this.counts.unknown++
      return
    }
    if (fault.address >= TASK_SIZE) { // [vsyscall], or the kernel's own memory
      this.counts.refused++
      return
    }
    try {
      await mm.fault(fault.address, fault.access)
    } catch (error) {
      if (!isMmuNotifierError(error, 'EFAULT')) throw error
      this.counts.refused++
      return
    }
    this.counts.performed++
    await this.#hook?.(mm, fault)
  }
}
