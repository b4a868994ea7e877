import { MmuNotifierError } from '@mmu-notifier/kernel'
import { kindOf, whyNoScenario } from './check-scenario.ts'
import { formatCounterexample, type Counterexample } from './counterexample.ts'
import { diagnose, fingerprint, replayed, type MakeEngine } from './diagnose.ts'
import { Engine, type EngineKind, type EngineOptions } from './engine.ts'
import { summary, type Exploration } from './exploration.ts'
import { guard } from './guard.ts'
import { Knowledge } from './knowledge.ts'
import type { Scenario } from './scenario.ts'
import { Search, type Completed } from './search.ts'
import { Session } from './session.ts'
import { checkShard, partOf, WHOLE, type Shard } from './shard.ts'
import { parseToken } from './token.ts'

/**
 * `portfolio`: random walks, then few preemptions, then PCT, then DPOR; where that does not end soon, more walks, and DPOR again until everything is explored or the
 * budget is spent. The others are its parts: `bounded` runs every schedule with at most `preemptions` preemptions, `dpor` one execution for each Mazurkiewicz trace.
 */
export type Strategy = 'portfolio' | 'random' | 'pct' | 'bounded' | 'dpor'

export const STRATEGIES: readonly Strategy[] = ['portfolio', 'random', 'pct', 'bounded', 'dpor']

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
  /** Milliseconds after which no further execution is begun. Default: none. */
  readonly timeLimit?: number
  /** For `random` and `pct`: the same seed makes the same exploration. Default 1. */
  readonly seed?: number
  /** For `bounded`. Default 2. */
  readonly preemptions?: number
  /** For `pct`: how many scheduling decisions the bug is to need. Default 3. */
  readonly depth?: number
  /** A failed trylock counts as a write, as it does in Nidhugg: more traces. Default `read`. */
  readonly trylock?: 'read' | 'write'
  /** Only this part of the exploration, and of its budget. {@link merge} adds the parts up. */
  readonly shard?: Shard
  /** Told now and then how far it is. */
  readonly progress?: (executions: number, budget: number) => void
}

/** Runs `scenario` in many orders. TypeError for a scenario that is none, RangeError or TypeError for options that are none. */
export async function explore<State>(scenario: Scenario<State>, options: ExploreOptions = {}): Promise<Exploration> {
  const engineOptions = engineOptionsOf(scenario, options)
  const { strategy = 'portfolio', budget = 20_000, seed = 1, preemptions = 2, depth = 3, shard = WHOLE, timeLimit = Infinity, progress } = options
  atLeast('budget', budget, 1)
  atLeast('preemptions', preemptions, 0)
  atLeast('depth', depth, 1)
  if (!(timeLimit > 0)) throw new RangeError(`timeLimit: expected milliseconds, got ${timeLimit}`)
  expectType('shard', shard, 'object')
  checkShard(shard)
  oneOf('strategy', strategy, STRATEGIES)
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: expected an integer, got ${seed}`)
  if (progress !== undefined) expectType('progress', progress, 'function')
  const known = new Knowledge()
  const engine = new Engine(scenario as Scenario, engineOptions, known)
  // Searches go on where they were when others have run in between, so DPOR has an engine of its own.
  const [dpor, twin] = [new Engine(scenario as Scenario, engineOptions, known), new Engine(scenario as Scenario, engineOptions)]
  const session = new Session(engine, twin, Math.max(1, partOf(budget, shard)), timeLimit, progress)
  const search = new Search(session, dpor, { seed, preemptions, depth, shard })
  const release = guard()
  try {
    const done = await search[strategy]()
    const part = shard.count > 1 ? shard : undefined
    return await conclude((steps) => maker(scenario as Scenario, { ...engineOptions, maxSteps: Math.min(steps, engineOptions.maxSteps) }), session, done, part)
  } finally {
    release()
  }
}

/** Repeats the execution that a token stands for. TypeError and RangeError as of {@link explore}, EINVAL for a text that is no token, or one of another scenario, as far as that can be told. */
export async function replay<State>(scenario: Scenario<State>, token: string, options: RunOptions = {}): Promise<Counterexample | undefined> {
  const engineOptions = engineOptionsOf(scenario, options)
  const { fingerprint: given, schedules, maxSteps } = parseToken(token)
  const make = maker(scenario as Scenario, maxSteps === undefined ? engineOptions : { ...engineOptions, maxSteps })
  const release = guard()
  try {
    const own = await fingerprint(make)
    if (own !== given) throw new MmuNotifierError('EINVAL', `EINVAL  the token ${token} is of another scenario, or of this one before it was changed: its fingerprint is ${own}`)
    return await replayed(make, schedules)
  } finally {
    release()
  }
}

/** A livelock of thousands of steps is shown, and minimised, as one of so many: but several times the longest execution that has ended. */
const SHOWN = 100
const LONGER = 4

async function conclude(within: (steps: number) => MakeEngine, session: Session, done: Completed, shard: Shard | undefined): Promise<Exploration> {
  const { executions, dropped, failure } = session
  const { by, blocked, exhausted, traces } = done
  const facts = { by, executions, blocked, dropped, fingerprint: await fingerprint(within(Infinity)), shard }
  if (!failure) {
    const verdict = exhausted ? ('exhausted' as const) : ('sampled' as const)
    const exploration = { ...facts, verdict, traces: exhausted ? traces : undefined, counterexample: undefined }
    return { ...exploration, report: summary(exploration) }
  }
  const steps = failure.code === 'LIVELOCK' ? Math.max(SHOWN, LONGER * session.longest) : Infinity
  const example = await diagnose(within(steps), failure, session.choices.slice(0, steps), session.taught)
  const counterexample = example ?? { ...failure, token: '', deviations: [], steps: [] }
  const found = `${by} after ${executions} executions`
  const report = example
    ? formatCounterexample(example, found)
    : `${failure.message}\nfound by ${found}; the same choices do not fail again, so something but the scheduler decides`
  return { ...facts, verdict: 'failed', traces: undefined, counterexample, report }
}

function maker(scenario: Scenario, options: EngineOptions): MakeEngine {
  return () => new Engine(scenario, options)
}

/** Checks what {@link explore} and {@link replay} have in common. */
function engineOptionsOf(scenario: unknown, options: RunOptions & Pick<ExploreOptions, 'trylock'>): EngineOptions {
  const reason = whyNoScenario(scenario)
  if (reason !== undefined) throw new TypeError(`scenario: ${reason}`)
  expectType('options', options, 'object')
  const { lockdep = true, maxSteps = 10_000, engine, trylock = 'read' } = options
  expectType('lockdep', lockdep, 'boolean')
  atLeast('maxSteps', maxSteps, 1)
  if (engine !== undefined) oneOf('engine', engine, ['promise', 'generator'])
  oneOf('trylock', trylock, ['read', 'write'])
  return { lockdep, maxSteps, trylockWrites: trylock === 'write', kind: engine }
}

function atLeast(what: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`${what}: expected an integer >= ${least}, got ${value}`)
}

function oneOf<T extends string>(what: string, value: T, all: readonly T[]): void {
  if (!all.includes(value)) throw new RangeError(`${what}: expected one of ${all.join(', ')}, got ${kindOf(value)}`)
}

function expectType(what: string, value: unknown, type: 'object' | 'boolean' | 'function'): void {
  if (typeof value !== type || value === null) throw new TypeError(`${what}: expected ${type === 'object' ? 'an object' : `a ${type}`}, got ${kindOf(value)}`)
}
