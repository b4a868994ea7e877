import { Breath, now } from './watchdog.ts'
import type { Director, Outcome } from './director.ts'
import type { Failure } from './failure.ts'
import type { Engine } from './engine.ts'
import { named, Retrace, type Step } from './schedule.ts'
import { ContextWitness } from './witnesses.ts'

/** One execution in so many is run twice, and watched more closely: of the first 4096. From there on there are as many whenever executions double. */
const GUARDED = 256
const OFTEN = 16
/** Executions between two looks at the clock. */
const BATCH = 32

/** The executions of one exploration: counts them, ends at the first failure or with the budget, and guards against what the scheduler does not decide. */
export class Session {
  readonly engine: Engine
  readonly #twin: Engine
  readonly #budget: number
  readonly #witness = new ContextWitness()
  readonly #breath = new Breath()
  executions = 0
  /** Dropped by `assume`. */
  dropped = 0
  failure: Failure | undefined
  /** What the failing execution chose, by step. */
  choices: readonly Step[] = []
  /** The choices of executions in which the lock validator learned an order. */
  readonly taught: (readonly Step[])[] = []
  /** Steps of the longest execution that did not fail. */
  longest = 1
  readonly #deadline: number
  readonly #progress: ((executions: number, budget: number) => void) | undefined
  #edges = 0
  #guardedNext = 0

  /**
   * @param twin another engine for the same scenario, to run some executions a second time
   * @param timeLimit milliseconds
   */
  constructor(engine: Engine, twin: Engine, budget: number, timeLimit: number, progress?: (executions: number, budget: number) => void) {
    this.#deadline = now() + timeLimit
    this.engine = engine
    this.#twin = twin
    this.#budget = budget
    this.#progress = progress
  }

  /** True when no further execution is to be started. */
  get over(): boolean {
    return this.failure !== undefined || this.executions >= this.#budget || (this.#deadline < Infinity && now() >= this.#deadline)
  }

  /** Runs one execution after the other, until the session is over or `next` has no further director. */
  async runAll(next: () => Director | undefined, finished?: (outcome: Outcome) => void, engine: Engine = this.engine): Promise<void> {
    while (!this.over) {
      const director = next()
      if (!director) return
      // An await that nothing has to be waited for would be the dearest part of an execution.
      const running = this.#run(engine, director)
      const outcome = running instanceof Promise ? await running : running
      finished?.(outcome)
    }
  }

  #run(engine: Engine, director: Director): Outcome | Promise<Outcome> {
    const { executions } = this
    if (executions >= this.#guardedNext || (executions % BATCH === 0 && this.#breath.due)) return this.#runGuarded(engine, director)
    this.executions++
    const outcome = engine.run(director)
    return outcome instanceof Promise ? outcome.then((later) => this.#note(engine, later)) : this.#note(engine, outcome)
  }

  async #runGuarded(engine: Engine, director: Director): Promise<Outcome> {
    if (this.#breath.due) {
      this.#progress?.(this.executions, this.#budget)
      await this.#breath.take()
    }
    this.#guardedNext = this.executions + Math.max(GUARDED, Math.floor(this.executions / OFTEN))
    this.executions++
    const witness = engine.kind === 'generator' ? undefined : this.#witness
    const outcome = this.#note(engine, await engine.run(director, { record: true, witness, patient: true }))
    this.#witness.rest()
    if (outcome.end === 'passed') {
      this.failure = await this.#again(engine)
      if (this.failure) this.choices = chosen(engine)
    }
    return outcome
  }

  #note(engine: Engine, outcome: Outcome): Outcome {
    if (outcome.end === 'assumed') this.dropped++
    if (!outcome.failure) this.longest = Math.max(this.longest, engine.steps)
    if (engine.lockOrder.size > this.#edges) {
      this.#edges = engine.lockOrder.size
      if (!outcome.failure) this.taught.push(chosen(engine))
    }
    if (outcome.failure) {
      this.failure = outcome.failure
      this.choices = chosen(engine)
    }
    return outcome
  }

  /** Makes the same choices again. @returns a failure when something else comes of them */
  async #again(engine: Engine): Promise<Failure | undefined> {
    const twin = this.#twin
    const outcome = await twin.run(new Retrace(twin.taskNames, chosen(engine)), { record: true, patient: true })
    const text = ({ trace, taskNames }: Engine, step: number): string => {
      const event = trace.events[step]
      return event ? `${taskNames[event.task] ?? '?'}: ${event.kind} ${event.name}` : 'none'
    }
    const length = Math.max(engine.trace.length, twin.trace.length)
    let at = 0
    while (at < length && isSame(engine, twin, at)) at++
    if (at === length && outcome.end === 'passed') return undefined
    const what = at === length ? `it ended as ${outcome.end} the second time` : `step ${at} was ${text(engine, at)} and then ${text(twin, at)}`
    const message = `NONDETERMINISM  the same choices led to different executions: ${what}`
    return { code: 'NONDETERMINISM', message, task: undefined, error: undefined }
  }
}

/** What the last execution chose. */
function chosen({ choices, taskNames }: Engine): Step[] {
  return named(choices, taskNames)
}

/** True when the last executions of both engines have the same step there. */
function isSame(engine: Engine, twin: Engine, step: number): boolean {
  const a = engine.trace.events[step]
  const b = twin.trace.events[step]
  return a?.kind === b?.kind && a?.name === b?.name && a !== undefined && b !== undefined && engine.taskNames[a.task] === twin.taskNames[b.task]
}
