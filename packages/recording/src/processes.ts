import type { Mm } from '@mmu-notifier/mm'
import type { CallEvent } from './events.ts'
import type { RecordedFault } from './faults.ts'

/** An address space of the recording: threads share it, and CLONE_VM children until they call execve. */
export class Space {
  /** The process that it was made for; CLONE_VM children are others. */
  readonly processId: number
  /** Undefined while nothing told its map. */
  mm: Mm | undefined
  /** No start map will ever come: the map holds what calls have proved to be there. */
  assumed = false
  /** The end of the heap in bytes, as the last brk returned it. */
  brk: number | undefined
  /** mlockall(MCL_FUTURE): what is mapped is populated. */
  locksFuture = false
  readonly tasks: Set<Task> = new Set<Task>()
  /** Calls that were entered and are not applied yet, in order of their entries. */
  readonly inFlight: Set<CallEvent> = new Set<CallEvent>()

  constructor(processId: number) {
    this.processId = processId
  }
}

/** A thread group. */
export class Process {
  /** That of the leader. */
  readonly id: number
  readonly tasks: Set<Task> = new Set<Task>()

  constructor(id: number) {
    this.id = id
  }
}

/** A thread. */
export class Task {
  id: number
  readonly process: Process
  space: Space
  /** While the task is in execve, and until its new map is known: faults of the new map. */
  held: RecordedFault[] | undefined

  constructor(id: number, process: Process, space: Space) {
    this.id = id
    this.process = process
    this.space = space
    process.tasks.add(this)
    space.tasks.add(this)
  }
}

/** Who runs in which address space. */
export class ProcessTable {
  readonly #tasks = new Map<number, Task>()
  readonly #processes = new Map<number, Process>()

  task(id: number): Task | undefined {
    return this.#tasks.get(id)
  }

  process(id: number): Process | undefined {
    return this.#processes.get(id)
  }

  /** Every space that has a task. */
  spaces(): Set<Space> {
    return new Set(Array.from(this.#tasks.values(), (task) => task.space))
  }

  /**
   * A new task. Ids are used again in long recordings.
   * @returns also the space that nobody is left in, when a task of the same id was there whose end nobody told
   */
  add(id: number, process: Process, space: Space): { readonly task: Task; readonly abandoned: Space | undefined } {
    const old = this.#tasks.get(id)
    const abandoned = old && this.end(old)
    const task = new Task(id, process, space)
    this.#tasks.set(id, task)
    this.#processes.set(process.id, process)
    return { task, abandoned }
  }

  /** The task leaves for another space. @returns the old space when nobody is left in it */
  move(task: Task, to: Space): Space | undefined {
    const from = task.space
    from.tasks.delete(task)
    task.space = to
    to.tasks.add(task)
    return from.tasks.size === 0 ? from : undefined
  }

  /** The task is gone. @returns its space when nobody is left in it */
  end(task: Task): Space | undefined {
    const left = this.move(task, new Space(task.process.id))
    if (this.#tasks.get(task.id) === task) this.#tasks.delete(task.id)
    const { process } = task
    process.tasks.delete(task)
    if (process.tasks.size === 0 && this.#processes.get(process.id) === process) this.#processes.delete(process.id)
    return left
  }

  rename(task: Task, id: number): void {
    this.#tasks.delete(task.id)
    task.id = id
    this.#tasks.set(id, task)
  }
}
