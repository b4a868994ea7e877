import { breathe } from './watchdog.ts'
import type { Director, Outcome } from './engine.ts'
import type { Failure } from './failure.ts'
import type { PromiseEngine } from './promise-engine.ts'
import { Retrace } from './schedule.ts'
import { ContextWitness } from './witnesses.ts'

/** One execution in so many is run twice, and watched more closely. */
const GUARDED = 64
/** Executions between two chances for timers and I/O of others. */
const BREATH = 512

/** The executions of one exploration: counts them, ends at the first failure or with the budget, and guards against what the scheduler does not decide. */
export class Session {
  readonly engine: PromiseEngine<unknown>
  readonly #twin: PromiseEngine<unknown>
  readonly #budget: number
  readonly #witness = new ContextWitness()
  executions = 0
  /** Dropped by `assume`. */
  dropped = 0
  failure: Failure | undefined
  /** The tasks chosen in the failing execution, by step. */
  choices: readonly string[] = []
  /** The choices of executions in which the lock validator learned an order. */
  readonly taught: (readonly string[])[] = []
  /** Steps of the longest execution. */
  longest = 1
  #edges = 0

  /** @param twin another engine for the same scenario, to run some executions a second time */
  constructor(engine: PromiseEngine<unknown>, twin: PromiseEngine<unknown>, budget: number) {
    this.engine = engine
    this.#twin = twin
    this.#budget = budget
  }

  /** True when no further execution is to be started. */
  get over(): boolean {
    return this.failure !== undefined || this.executions >= this.#budget
  }

  /** Runs one execution, unless the session is over. */
  async run(director: Director): Promise<Outcome> {
    const { engine } = this
    const guarded = this.executions % GUARDED === 0
    if (this.executions % BREATH === BREATH - 1) await breathe()
    this.executions++
    engine.witness = guarded ? this.#witness : undefined
    const outcome = await engine.run(director)
    engine.witness = undefined
    if (guarded) this.#witness.rest()
    if (outcome.end === 'assumed') this.dropped++
    this.longest = Math.max(this.longest, engine.trace.length)
    if (engine.lockOrder.size > this.#edges) {
      this.#edges = engine.lockOrder.size
      if (!outcome.failure) this.taught.push(this.#choices())
    }
    this.failure = outcome.failure ?? (guarded && outcome.end === 'passed' ? await this.#again() : undefined)
    if (this.failure) this.choices = this.#choices()
    return outcome
  }

  #choices(): string[] {
    const { trace, taskNames } = this.engine
    return trace.events.map(({ task }) => taskNames[task] ?? '?')
  }

  /** Makes the same choices again. @returns a failure when something else comes of them */
  async #again(): Promise<Failure | undefined> {
    const { engine } = this
    const twin = this.#twin
    const outcome = await twin.run(new Retrace(twin.taskNames, this.#choices()))
    const text = ({ trace, taskNames }: PromiseEngine<unknown>): string[] => trace.events.map(({ task, kind, name }) => `${taskNames[task] ?? '?'}: ${kind} ${name}`)
    const first = text(engine)
    const second = text(twin)
    const at = first.findIndex((step, i) => step !== second[i])
    if (at < 0 && second.length === first.length && outcome.end === 'passed') return undefined
    const what = at < 0 ? `it ended as ${outcome.end} the second time` : `step ${at} was ${first[at] ?? 'none'} and then ${second[at] ?? 'none'}`
    const message = `NONDETERMINISM  the same choices led to different executions: ${what}`
    return { code: 'NONDETERMINISM', message, task: undefined, error: undefined }
  }
}
