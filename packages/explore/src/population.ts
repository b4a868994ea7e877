import { createKernel, type Kernel, type Scheduler, type SchedulerParts, type Target } from '@mmu-notifier/kernel'
import { leak, unfinished } from './complaints.ts'
import type { Outcome } from './director.ts'
import type { Event } from './event.ts'
import type { ExecutionParts } from './execution-parts.ts'
import { ExploredTask } from './explored-task.ts'
import { AssumptionFailed, failureOf, type Failure } from './failure.ts'
import { stalemate } from './stalemate.ts'

/** Setup runs, alone; */
export const SETUP = 0
/** tasks take steps; */
export const TASKS = 1
/** they have ended well, and check runs, alone; */
export const CHECK = 2
/** they have run to a failure: what is left of them must not go on. */
export const BROKEN = 3

/** The tasks of one execution, from where they are spawned to where all of them have ended, or cannot; what they make is numbered by who makes it. */
export abstract class Population {
  readonly kernel: Kernel
  protected readonly parts: ExecutionParts
  protected outcome: Outcome | undefined = undefined
  protected running: ExploredTask | undefined = undefined
  protected phase: typeof SETUP | typeof TASKS | typeof CHECK | typeof BROKEN = SETUP
  /** Operations start plainly: tasks take steps, and nobody looks on. */
  protected plainly = false
  /** Setup and check, as a task. */
  protected readonly main: ExploredTask
  /** Begun and not finished, by id. */
  protected readonly live: ExploredTask[] = []
  readonly #trace: SchedulerParts['trace']
  /** Spawned, the first {@link #begun} of them begun. */
  readonly #spawned: ExploredTask[] = []
  #begun = 0
  /** Finished, and hold a lock. */
  #leaks: ExploredTask[] | undefined = undefined
  #assumed = false
  #primitives = 0

  constructor(parts: ExecutionParts) {
    this.parts = parts
    const scheduler = this as unknown as Scheduler
    let given: SchedulerParts['trace'] | undefined
    this.kernel = createKernel({
      lockOrder: parts.lockOrder,
      scheduler: ({ trace }) => {
        given = trace
        return scheduler
      },
    })
    this.#trace = given as unknown as SchedulerParts['trace']
    this.main = new ExploredTask(0, 'main', () => Promise.resolve(), undefined, scheduler)
  }

  /** Runs `task` to its first operation. */
  protected abstract begin(task: ExploredTask): void

  /** The outcome is known. */
  protected abstract ended(): void

  /** Tasks take steps from here on. */
  protected tasksRun(): void {
    this.phase = TASKS
    this.plainly = this.parts.witness === undefined
  }

  /** Tasks have ended well, and check runs. */
  checks(): void {
    this.outcome = undefined
  }

  protected end(outcome: Outcome): void {
    if (this.phase !== TASKS) return
    this.phase = outcome.end === 'passed' ? CHECK : BROKEN
    this.plainly = false
    this.running = undefined
    this.outcome = outcome
    this.ended()
  }

  /** Ends the execution in a failure; the first one counts. */
  fail(failure: Failure): void {
    this.end({ end: 'failed', failure, blocked: [] })
  }

  get current(): ExploredTask {
    return this.running ?? this.main
  }

  get tasks(): readonly ExploredTask[] {
    return [this.main, ...this.#spawned.slice(this.#begun), ...this.live]
  }

  spawn(name: string, body: () => Promise<void>): ExploredTask {
    const { taskIds, races } = this.parts
    const maker = this.running ?? this.main
    const count = maker.children++
    const label = maker === this.main ? name : `${maker.name}/${name}.${count}`
    const id = taskIds.of(maker.id, count, label) + 1
    const task = new ExploredTask(id, label, body, maker.lastEvent ?? maker.spawnedAfter, this as unknown as Scheduler)
    races?.spawned(id, maker.id)
    this.#spawned.push(task)
    this.#trace('sched:spawn', task)
    return task
  }

  created(target: Target): void {
    const { recorder, races } = this.parts
    if (recorder) recorder.created(target, this.running ?? this.main)
    else target.id = this.#primitives++
    races?.created(target)
  }

  /** Some task was spawned and has not begun. */
  protected get unbegun(): boolean {
    return this.#begun < this.#spawned.length
  }

  /** The next task that was spawned runs up to its first operation. That is no event: if what it does there mattered to others, it would be a reported race. */
  protected beginNext(): void {
    const task = this.#spawned[this.#begun++] as ExploredTask
    const live = this.live
    let at = live.length
    for (; at > 0 && (live[at - 1] as ExploredTask).id > task.id; at--) live[at] = live[at - 1] as ExploredTask
    live[at] = task
    this.running = task
    this.begin(task)
  }

  /** The body of `task` has ended. */
  protected exit(task: ExploredTask, error: unknown, threw: boolean): void {
    if (this.phase !== TASKS) return
    if (threw) {
      if (!(error instanceof AssumptionFailed)) {
        this.fail(failureOf(error, task.name))
        return
      }
      this.#assumed = true
    }
    const left = unfinished(task, this.parts.witness)
    if (left) {
      this.fail(left)
      return
    }
    task.finished = true
    const live = this.live
    for (let at = live.indexOf(task) + 1; at < live.length; at++) live[at - 1] = live[at] as ExploredTask
    live.pop()
    if (task.held.length > 0) (this.#leaks ??= []).push(task)
    this.#trace('sched:exit', task)
    this.running = undefined
  }

  /** What the tasks that can take no step would do next. */
  protected waiting(): Event[] {
    const { recorder } = this.parts
    if (!recorder) return []
    return this.live.flatMap((task) => {
      const { operation, target, couldRun } = task
      if (!operation || !target || couldRun) return []
      recorder.begin(task, operation, target)
      return [recorder.eventOf(task, operation, target, 0, 0)]
    })
  }

  /** No task can take a step. */
  protected over(): void {
    const live = this.live
    const leaks = this.#leaks ?? []
    const [holder] = leaks
    this.running = undefined
    const blocked = this.waiting()
    if (this.#assumed) this.end({ end: 'assumed', blocked })
    else if (live.length > 0) this.end({ end: 'failed', failure: stalemate(live, [...live, ...leaks]), blocked })
    else if (holder) this.end({ end: 'failed', failure: leak(holder), blocked })
    else this.end({ end: 'passed', blocked })
  }
}
