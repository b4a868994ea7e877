import { createKernel, type LockOrder } from '@mmu-notifier/kernel'
import type { Choice, Director, Outcome } from './director.ts'
import { EventTable } from './event-table.ts'
import type { Execution } from './execution.ts'
import type { ExecutionParts, Witness } from './execution-parts.ts'
import { failureOf } from './failure.ts'
import { FrameExecution } from './frame-execution.ts'
import { setMachine } from './frames.ts'
import { watch } from './guard.ts'
import type { Identities } from './identities.ts'
import { Knowledge } from './knowledge.ts'
import { PromiseExecution } from './promise-execution.ts'
import { RaceCheck } from './races.ts'
import type { Reach } from './reach.ts'
import { Recorder, type Memory } from './recorder.ts'
import type { Scenario } from './scenario.ts'
import { Trace } from './trace.ts'
import { Turn } from './turn.ts'
import { Watchdog } from './watchdog.ts'

/** How tasks are suspended: `promise` runs `async` functions as they are, `generator` what the compiler made of them. */
export type EngineKind = 'promise' | 'generator'

export interface EngineOptions {
  /** Check the order of lock classes, over all executions. */
  readonly lockdep: boolean
  /** A failed trylock counts as a write, as it does in Nidhugg: a coarser equivalence. */
  readonly trylockWrites: boolean
  /** Steps of one execution before it is called a livelock. */
  readonly maxSteps: number
  /** By default `generator` when the scenario's functions are compiled. */
  readonly kind: EngineKind | undefined
}

export interface RunOptions {
  /** Keep the events, whether or not the director needs them. */
  readonly record?: boolean
  readonly witness?: Witness | undefined
  /** See `ExecutionParts.patient`. */
  readonly patient?: boolean
}

const NO_OPTIONS: RunOptions = {}

/**
 * Runs a scenario, from the beginning each time, under a director. Strategies know nothing of how a task is suspended and resumed; an engine knows
 * nothing of why a task was chosen.
 */
export class Engine<State = unknown> implements Memory {
  readonly trace: Trace
  readonly lockOrder: LockOrder
  readonly objectIds: Identities
  readonly events: EventTable
  readonly reach: Reach
  /** Some task has ended a turn of a retry loop, see `Kernel.cpuRelax`. */
  relaxes = false
  /** How many steps the last execution took. */
  steps = 0
  readonly #scenario: Scenario<State>
  readonly #options: EngineOptions
  readonly #tasks: readonly (readonly [name: string, body: Scenario<State>['tasks'][string]])[]
  readonly #taskIds: Identities
  readonly #watchdog = new Watchdog()
  #kind: EngineKind | undefined
  readonly #races = new RaceCheck()
  readonly #turn = new Turn()
  readonly #made: Choice[] = []
  /** An execution was met that can only be judged with its events, and one with the race check. */
  #records = false
  #checksRaces = false

  /** @param known what other engines know of the same scenario, if there are any */
  constructor(scenario: Scenario<State>, options: EngineOptions, known: Knowledge = new Knowledge()) {
    this.events = new EventTable(options.trylockWrites)
    this.#taskIds = known.taskIds
    this.objectIds = known.objectIds
    this.reach = known.reach
    this.lockOrder = known.lockOrder
    this.#scenario = scenario
    this.#options = options
    this.#kind = options.kind ?? plainly(scenario)
    this.#tasks = Object.entries(scenario.tasks)
    this.trace = new Trace(this.#tasks.length)
  }

  /** The names of the tasks, by number. */
  get taskNames(): readonly string[] {
    return this.#taskIds.names
  }

  /** Steps of one execution before it is called a livelock. */
  get maxSteps(): number {
    return this.#options.maxSteps
  }

  /** What the last execution chose, by step. */
  get choices(): readonly Choice[] {
    return this.#made.slice(0, this.steps)
  }

  /** Undefined before the first execution. */
  get kind(): EngineKind | undefined {
    return this.#kind
  }

  /** Runs one execution: at once, when the scenario is compiled. */
  run(director: Director, options: RunOptions = NO_OPTIONS): Outcome | Promise<Outcome> {
    if (this.#kind !== 'promise') {
      const outcome = this.#runFrames(director, options)
      if (outcome) return outcome
      this.#kind = 'promise'
    }
    return this.#runPromises(director, options)
  }

  /** @returns undefined when the scenario is not compiled */
  #runFrames(director: Director, options: RunOptions): Outcome | undefined {
    let choices: readonly Choice[] = []
    for (;;) {
      const parts = this.#parts(director, options, choices)
      const execution = new FrameExecution(parts)
      const before = setMachine(execution)
      const watched = watch(execution)
      let outcome: Outcome | undefined
      try {
        outcome = this.#frames(execution)
      } finally {
        setMachine(before)
        watch(watched)
      }
      if (!outcome) return undefined
      this.#kind = 'generator'
      this.steps = execution.steps
      if (!this.#learns(execution)) return outcome
      choices = this.choices
    }
  }

  #frames(execution: FrameExecution): Outcome | undefined {
    const { setup, check } = this.#scenario
    try {
      const { kernel } = execution
      const state = execution.unwrap(setup(kernel))
      if (!state) return this.#foreign(execution)
      for (const [name, body] of this.#tasks) kernel.spawn(name, () => body(state.value, kernel))
      const outcome = execution.runTasks()
      if (execution.uncompiled && this.#kind === undefined) return undefined
      if (outcome.end === 'passed' && check) {
        execution.checks()
        if (!execution.unwrap(check(state.value, kernel))) return this.#foreign(execution)
      }
      return outcome
    } catch (error) {
      return { end: 'failed', failure: failureOf(error, undefined), blocked: [] }
    }
  }

  #foreign(execution: FrameExecution): Outcome | undefined {
    return this.#kind === undefined ? undefined : { end: 'failed', failure: execution.foreign(undefined), blocked: [] }
  }

  async #runPromises(director: Director, options: RunOptions): Promise<Outcome> {
    let choices: readonly Choice[] = []
    for (;;) {
      const execution = new PromiseExecution(this.#parts(director, options, choices))
      const watched = watch(execution)
      let outcome: Outcome
      try {
        outcome = await new Promise<Outcome>((resolve) => {
          this.#watchdog.watch(() => {
            const stalled = execution.stalled()
            if (stalled) resolve(stalled)
          })
          void this.#promises(execution).then(resolve)
        })
      } finally {
        watch(watched)
        this.#watchdog.rest()
      }
      this.steps = execution.steps
      if (!this.#learns(execution)) return outcome
      choices = this.choices
    }
  }

  async #promises(execution: PromiseExecution): Promise<Outcome> {
    const { setup, check } = this.#scenario
    try {
      const { kernel } = execution
      const state = await setup(kernel)
      for (const [name, body] of this.#tasks) kernel.spawn(name, () => body(state, kernel))
      const outcome = await execution.runTasks()
      if (outcome.end === 'passed') await check?.(state, kernel)
      return outcome
    } catch (error) {
      return { end: 'failed', failure: failureOf(error, undefined), blocked: [] }
    }
  }

  /** @returns true when `execution` has to be run again, with what it lacked */
  #learns({ needs }: Execution): boolean {
    if (needs === 'events') this.#records = true
    if (needs === 'races') this.#checksRaces = true
    return needs !== undefined
  }

  #parts(director: Director, { record = false, witness, patient = false }: RunOptions, choices: readonly Choice[]): ExecutionParts {
    const { lockdep, maxSteps } = this.#options
    let recorder: Recorder | undefined
    if (record || this.#records || director.needsTrace) {
      this.trace.truncate(director.prefix)
      recorder = new Recorder(this, director)
    }
    const races = recorder || this.#checksRaces ? this.#races : undefined
    races?.reset()
    return { director, turn: this.#turn, made: this.#made, choices, recorder, races, taskIds: this.#taskIds, lockOrder: lockdep && this.lockOrder, maxSteps, witness, patient }
  }
}

/** How to run a scenario whose functions are plainly not compiled, or that stands on a kernel that is not. */
function plainly({ setup, tasks, check }: { readonly setup: unknown; readonly tasks: object; readonly check?: unknown }): EngineKind | undefined {
  const native = [(createKernel().mutex('') as { readonly with: unknown }).with, setup, check, ...(Object.values(tasks) as unknown[])].some((code) => Object.prototype.toString.call(code) === '[object AsyncFunction]')
  return native ? 'promise' : undefined
}
