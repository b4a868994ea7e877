import { MmuNotifierError } from '@mmu-notifier/kernel'
import { diagnose, fingerprint, replayed, type MakeEngine } from './diagnose.ts'
import type { Director } from './director.ts'
import { OptimalDpor } from './dpor.ts'
import { Exhaustive } from './exhaustive.ts'
import { Engine, type EngineKind, type EngineOptions } from './engine.ts'
import { guard } from './guard.ts'
import { Random } from './random.ts'
import { formatCounterexample, type Counterexample } from './report.ts'
import type { Scenario } from './scenario.ts'
import { Session } from './session.ts'
import { parseToken } from './token.ts'
import { PriorityWalk, RandomWalk } from './walks.ts'

/**
 * `portfolio`: random walks, then few preemptions, then PCT, then DPOR; where that does not end soon, more walks, and DPOR again until everything is explored or the
 * budget is spent. The others are its parts: `bounded` runs every schedule with at most `preemptions` preemptions, `dpor` one execution for each Mazurkiewicz trace.
 */
export type Strategy = 'portfolio' | 'random' | 'pct' | 'bounded' | 'dpor'

export interface RunOptions {
  /** Check the order of lock classes, over all executions together. Default true. */
  readonly lockdep?: boolean
  /** Steps of one execution before it is called a livelock. Default 10,000. */
  readonly maxSteps?: number
  /** How tasks are suspended. Default: `generator` for a scenario that is compiled, `promise` for one that is not. Both find the same. */
  readonly engine?: EngineKind
}

export interface ExploreOptions extends RunOptions {
  /** Default `portfolio`. */
  readonly strategy?: Strategy
  /** How many executions at most. Default 20,000. */
  readonly budget?: number
  /** For `random` and `pct`: the same seed makes the same exploration. Default 1. */
  readonly seed?: number
  /** For `bounded`. Default 2. */
  readonly preemptions?: number
  /** For `pct`: how many scheduling decisions the bug is to need. Default 3. */
  readonly depth?: number
  /** A failed trylock counts as a write, as it does in Nidhugg: more traces. Default `read`. */
  readonly trylock?: 'read' | 'write'
}

export interface Exploration {
  /** `exhausted`: no execution, in whatever order, fails. `sampled`: those that were run do not. */
  readonly verdict: 'exhausted' | 'sampled' | 'failed'
  /** What was completed, or what found the failure. */
  readonly by: string
  /** Executions, all together. */
  readonly executions: number
  /** When exhausted: how many executions there are that differ in more than the order of steps that commute. Without those that `assume` dropped. */
  readonly traces: number | undefined
  /** Executions that an exhausting strategy gave up because they would have repeated another one. */
  readonly blocked: number
  /** Executions that `assume` dropped. */
  readonly dropped: number
  /** When failed. */
  readonly counterexample: Counterexample | undefined
  /** All of this for a person to read. */
  readonly report: string
}

const STRATEGIES: readonly Strategy[] = ['portfolio', 'random', 'pct', 'bounded', 'dpor']
const RANDOM_WALKS = 200
const BOUNDED_RUNS = 400
const PRIORITY_WALKS = 200
const DPOR_RUNS = 2000
const MORE_WALKS = 1000

/** Runs `scenario` in many orders. RangeError for options that are none. */
export async function explore<State>(scenario: Scenario<State>, options: ExploreOptions = {}): Promise<Exploration> {
  const { strategy = 'portfolio', budget = 20_000, seed = 1, preemptions = 2, depth = 3 } = options
  atLeast('budget', budget, 1)
  atLeast('preemptions', preemptions, 0)
  atLeast('depth', depth, 1)
  if (!STRATEGIES.includes(strategy)) throw new RangeError(`strategy: expected one of ${STRATEGIES.join(', ')}, got ${strategy}`)
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: expected an integer, got ${seed}`)
  const engineOptions = engineOptionsOf(scenario, options)
  const engine = (): Engine => new Engine(scenario as Scenario, engineOptions)
  const session = new Session(engine(), engine(), budget)
  const random = new Random(seed)
  const release = guard()
  try {
    return await conclude(scenario as Scenario, engineOptions, session, await phases())
  } finally {
    release()
  }

  async function phases(): Promise<Completed> {
    if (strategy === 'random') return walk(budget)
    if (strategy === 'pct') return priorities(budget)
    if (strategy === 'bounded') return bounded(session, preemptions, budget)
    if (strategy === 'dpor') return all(session)
    let done = await walk(RANDOM_WALKS)
    for (let k = 0, left = BOUNDED_RUNS; k <= preemptions && !session.over && left > 0; k++) {
      const from = session.executions
      done = await bounded(session, k, left)
      left -= session.executions - from
      if (done.exhausted) return done
    }
    // What is too large to be exhausted soon is not left to DPOR alone: depth first, it looks at one corner only.
    for (const phase of [() => priorities(PRIORITY_WALKS), () => all(session, DPOR_RUNS), () => walk(MORE_WALKS), () => priorities(MORE_WALKS), () => all(session)]) {
      if (session.over || done.exhausted) break
      done = await phase()
    }
    return done
  }

  async function walk(n: number): Promise<Completed> {
    await session.runAll(times(n, () => new RandomWalk(random)))
    return { ...NOT_ALL, by: 'random walks' }
  }

  async function priorities(n: number): Promise<Completed> {
    await session.runAll(times(n, () => new PriorityWalk(random, depth, session.longest)))
    return { ...NOT_ALL, by: `priority walks of depth ${depth}` }
  }
}

/** Repeats the execution that a token stands for. EINVAL for a text that is no token, or one of another scenario. */
export async function replay<State>(scenario: Scenario<State>, token: string, options: RunOptions = {}): Promise<Counterexample | undefined> {
  const { fingerprint: given, schedules } = parseToken(token)
  const make = maker(scenario as Scenario, engineOptionsOf(scenario, options))
  const release = guard()
  try {
    const own = await fingerprint(make)
    if (own !== given) throw new MmuNotifierError('EINVAL', `EINVAL  the token ${token} is of another scenario, or of this one before it was changed: its fingerprint is ${own}`)
    return await replayed(make, schedules)
  } finally {
    release()
  }
}

interface Completed {
  readonly by: string
  readonly exhausted: boolean
  readonly traces: number
  readonly blocked: number
}

const NOT_ALL = { exhausted: false, traces: 0, blocked: 0 }

/** Every schedule with at most `preemptions` preemptions, or with any number, within `runs` executions. */
async function bounded(session: Session, preemptions: number, runs: number): Promise<Completed> {
  const { trace } = session.engine
  const strategy = new Exhaustive(trace, { sleepSets: false, preemptions })
  const traces = new Set<number>()
  await session.runAll(times(runs, () => (strategy.next() ? strategy : undefined)), (outcome) => {
    strategy.finished(outcome)
    if (outcome.end === 'passed') traces.add(trace.hash())
  })
  const complete = strategy.exhausted || (session.failure === undefined && !strategy.next())
  const what = strategy.bounded ? `every schedule with at most ${preemptions} preemptions` : 'every interleaving'
  return { by: complete ? what : `a part of ${what}`, exhausted: complete && !strategy.bounded, traces: traces.size, blocked: 0 }
}

/** One execution for each trace. A turn of a retry loop depends on writes in a way that the reduction does not know: then every interleaving. */
async function all(session: Session, runs = Infinity): Promise<Completed> {
  const { engine } = session
  const strategy = new OptimalDpor(engine.trace, engine.reach)
  const next = (): OptimalDpor | undefined => (!engine.relaxes && strategy.next() ? strategy : undefined)
  await session.runAll(times(runs, next), (outcome) => { strategy.finished(outcome) })
  if (engine.relaxes && !session.over) return bounded(session, Infinity, Infinity)
  const complete = strategy.exhausted || (session.failure === undefined && !engine.relaxes && !strategy.next())
  return { by: complete ? 'optimal DPOR' : 'a part of optimal DPOR', exhausted: complete, traces: strategy.complete, blocked: strategy.blocked }
}

async function conclude(scenario: Scenario, options: EngineOptions, session: Session, done: Completed): Promise<Exploration> {
  const { executions, dropped, failure } = session
  const { by, blocked } = done
  const counts = { by, executions, blocked, dropped }
  if (!failure) {
    const verdict = done.exhausted ? 'exhausted' : 'sampled'
    const traces = done.exhausted ? done.traces : undefined
    const extra = [...(blocked > 0 ? [`${blocked} blocked`] : []), ...(dropped > 0 ? [`${dropped} dropped by assume`] : [])]
    const report = `${verdict}: ${[...(traces === undefined ? [] : [`${traces} traces`]), `${executions} executions`, ...extra].join(', ')}; ${by}`
    return { ...counts, verdict, traces, counterexample: undefined, report }
  }
  const example = await diagnose(maker(scenario, options), failure, session.choices, session.taught)
  const counterexample = example ?? { ...failure, token: '', deviations: [], steps: [] }
  const found = `${by} after ${executions} executions`
  const report = example
    ? formatCounterexample(example, found)
    : `${failure.message}\nfound by ${found}; the same choices do not fail again, so something but the scheduler decides`
  return { ...counts, verdict: 'failed', traces: undefined, counterexample, report }
}

/** The first `n` of what `next` gives. */
function times(n: number, next: () => Director | undefined): () => Director | undefined {
  let left = n
  return () => (left-- > 0 ? next() : undefined)
}

function maker(scenario: Scenario, options: EngineOptions): MakeEngine {
  return () => new Engine(scenario, options)
}

function engineOptionsOf(scenario: { readonly tasks: object }, { lockdep = true, maxSteps = 10_000, engine, ...rest }: RunOptions & { readonly trylock?: 'read' | 'write' }): EngineOptions {
  if (Object.keys(scenario.tasks).length === 0) throw new TypeError('explore: expected at least one task')
  atLeast('maxSteps', maxSteps, 1)
  return { lockdep, maxSteps, trylockWrites: rest.trylock === 'write', kind: engine }
}

function atLeast(what: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`${what}: expected an integer >= ${least}, got ${value}`)
}
