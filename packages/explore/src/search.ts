import type { Director } from './director.ts'
import { OptimalDpor } from './dpor.ts'
import type { Engine } from './engine.ts'
import { Exhaustive } from './exhaustive.ts'
import { Random } from './random.ts'
import type { Session } from './session.ts'
import { partOf, UNSPLIT, type Shard, type Split } from './shard.ts'
import { Survey } from './survey.ts'
import { Lockstep, PriorityWalk, RandomWalk } from './walks.ts'

/** What a phase of a search came to. */
export interface Completed {
  /** In words. */
  readonly by: string
  /** Every execution was run that this part of the search is to run. */
  readonly exhausted: boolean
  readonly traces: number
  readonly blocked: number
}

export interface SearchOptions {
  readonly seed: number
  readonly preemptions: number
  readonly depth: number
  readonly shard: Shard
}

/** Executions of the phases of a portfolio. */
const RANDOM_WALKS = 200
const BOUNDED_RUNS = 400
const PRIORITY_WALKS = 200
/** Where tasks retry: steps of the longest turn that they are made to take. */
const LONGEST_TURN = 8
const DPOR_RUNS = 2000
const MORE_WALKS = 1000

const NOT_ALL = { exhausted: false, traces: 0, blocked: 0 }

/** The ways to look for a failing execution, all over one session. */
export class Search {
  readonly #session: Session
  readonly #engine: Engine
  readonly #options: SearchOptions
  readonly #seed: number
  readonly #random: Random
  #split: Split | undefined
  #dpor: { readonly strategy: OptimalDpor; readonly survey: Survey } | undefined

  /** @param engine for the searches that keep their place while others run */
  constructor(session: Session, engine: Engine, options: SearchOptions) {
    this.#session = session
    this.#engine = engine
    this.#options = options
    this.#seed = options.seed + options.shard.index * 0x9e3779b9
    this.#random = new Random(this.#seed)
  }

  async portfolio(): Promise<Completed> {
    const { shard, preemptions } = this.#options
    const part = (n: number): number => Math.max(1, partOf(n, shard))
    const session = this.#session
    let done = await this.random(part(RANDOM_WALKS))
    if (session.engine.relaxes && !session.over) done = await this.lockstep()
    for (let k = 0, left = part(BOUNDED_RUNS); k <= preemptions && !session.over && left > 0; k++) {
      const from = session.executions
      done = await this.bounded(k, left)
      left -= session.executions - from
      if (done.exhausted) return done
    }
    // What is too large to be exhausted soon is not left to DPOR alone: depth first, it looks at one corner only.
    const phases = [
      () => this.pct(part(PRIORITY_WALKS)),
      () => this.dpor(part(DPOR_RUNS)),
      () => this.random(part(MORE_WALKS)),
      () => this.pct(part(MORE_WALKS)),
      () => this.dpor(),
    ]
    for (const phase of phases) {
      if (session.over || done.exhausted) break
      done = await phase()
    }
    return done
  }

  /** `n` random walks. */
  async random(n?: number): Promise<Completed> {
    await this.#session.runAll(times(n, () => new RandomWalk(this.#random)))
    return { ...NOT_ALL, by: 'random walks' }
  }

  /** Tasks that retry, in turn. */
  async lockstep(): Promise<Completed> {
    let turn = 0
    await this.#session.runAll(times(LONGEST_TURN, () => new Lockstep(++turn)))
    return { ...NOT_ALL, by: 'tasks in lockstep' }
  }

  /** `n` walks of probabilistic concurrency testing. */
  async pct(n?: number): Promise<Completed> {
    const { depth } = this.#options
    await this.#session.runAll(times(n, () => new PriorityWalk(this.#random, depth, this.#session.longest)))
    return { ...NOT_ALL, by: `priority walks of depth ${depth}` }
  }

  /** Every schedule with at most `preemptions` preemptions, or with any number, within `runs` executions. */
  async bounded(preemptions: number = this.#options.preemptions, runs?: number): Promise<Completed> {
    const session = this.#session
    const { trace } = session.engine
    const strategy = new Exhaustive(trace, { sleepSets: false, preemptions, split: await this.#splitting() })
    const traces = new Set<number>()
    await session.runAll(times(runs, () => (strategy.next() ? strategy : undefined)), (outcome) => {
      strategy.finished(outcome)
      if (outcome.end === 'passed') traces.add(trace.hash())
    })
    const complete = strategy.exhausted || (session.failure === undefined && !strategy.next())
    const what = strategy.bounded ? `every schedule with at most ${preemptions} preemptions` : 'every interleaving'
    return { by: complete ? what : `a part of ${what}`, exhausted: complete && !strategy.bounded, traces: traces.size, blocked: 0 }
  }

  /**
   * One execution for each trace, `runs` executions at a time: called again, it goes on. A turn of a retry loop depends on writes in a way that the reduction does
   * not know: then every interleaving.
   */
  async dpor(runs?: number): Promise<Completed> {
    const session = this.#session
    const engine = this.#engine
    const { strategy, survey } = (this.#dpor ??= {
      strategy: new OptimalDpor(engine.trace, engine.reach, { split: await this.#splitting() }),
      survey: new Survey(new Random(this.#seed), engine.reach),
    })
    let surveying = false
    const next = (): Director | undefined => {
      if (engine.relaxes) return undefined
      surveying = strategy.begins && survey.next(session.longest, session.executions, () => engine.choices)
      return surveying ? survey : strategy.next() ? strategy : undefined
    }
    await session.runAll(times(runs, next), (outcome) => { if (!surveying) strategy.finished(outcome) }, engine)
    if (engine.relaxes && !session.over) return this.bounded(Infinity)
    const exhausted = strategy.exhausted || (session.failure === undefined && !engine.relaxes && !strategy.next())
    const { complete, blocked } = strategy
    return { by: exhausted ? 'optimal DPOR' : 'a part of optimal DPOR', exhausted, traces: complete, blocked }
  }

  /** The same in every part of the search: as few first steps as there are ways of taking them for each part to get some. */
  async #splitting(): Promise<Split> {
    const { shard } = this.#options
    if (shard.count === 1) return UNSPLIT
    if (this.#split) return this.#split
    const { engine } = this.#session
    let ways = 0
    for (let depth = 1; ; depth++) {
      const strategy = new Exhaustive(engine.trace, { sleepSets: true, split: { depth, index: -1, count: 1 } })
      while (strategy.next()) strategy.finished(await engine.run(strategy))
      const enough = strategy.reached >= WAYS_A_PART * shard.count
      if (enough || depth === DEEPEST || strategy.reached === ways) return (this.#split = { ...shard, depth })
      ways = strategy.reached
    }
  }
}

const WAYS_A_PART = 8
const DEEPEST = 12

/** The first `n` of what `next` gives. */
function times(n: number | undefined, next: () => Director | undefined): () => Director | undefined {
  let left = n ?? Infinity
  return () => (left-- > 0 ? next() : undefined)
}
