import { MmuNotifierError } from '@mmu-notifier/kernel'
import type { Outcome } from './director.ts'
import type { Engine, RunOptions } from './engine.ts'
import type { Failure } from './failure.ts'
import { linearise } from './linearise.ts'
import { minimise } from './minimise.ts'
import { stepsOf, type Counterexample } from './counterexample.ts'
import { named, Replay, Retrace, type Deviation, type Step } from './schedule.ts'
import { formatToken } from './token.ts'
import { SiteWitness } from './witnesses.ts'

/** A fresh engine for the same scenario, that knows of no execution before. */
export type MakeEngine = () => Engine

type Schedule = readonly Deviation[]

interface Followed {
  /** What the last one came to. */
  readonly outcome: Outcome
  /** What could be done of each, and what could not. */
  readonly followed: readonly Schedule[]
  readonly missed: Schedule
}

/** Runs schedules one after the other on one engine. */
async function follow(engine: Engine, schedules: readonly Schedule[], options?: RunOptions): Promise<Followed> {
  let outcome: Outcome = { end: 'passed', blocked: [] }
  const followed: Schedule[] = []
  const missed: Deviation[] = []
  for (const schedule of schedules) {
    const director = new Replay(engine.taskNames, schedule)
    outcome = await engine.run(director, { ...options, patient: true })
    followed.push(director.followed)
    missed.push(...director.missed)
  }
  return { outcome, followed, missed }
}

/** Four hex digits that change when the scenario's tasks, or what they do by default, change. */
export async function fingerprint(make: MakeEngine): Promise<string> {
  const engine = make()
  await engine.run(new Replay(engine.taskNames, []), { record: true, patient: true })
  let hash = 0x811c9dc5
  const text = [...engine.taskNames, ...engine.trace.events.map(({ task, kind, name }) => `${task} ${kind} ${name}`)].join('\n')
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return ((hash ^ (hash >>> 16)) & 0xffff).toString(16).padStart(4, '0')
}

/**
 * Brings a failing execution into a form that a person can read.
 * @param choices what it chose, by step
 * @param before the choices of executions that taught the lock validator an order, for a failure that rests on them
 * @returns undefined when the same choices do not fail again
 */
export async function diagnose(make: MakeEngine, failure: Failure, choices: readonly Step[], before: readonly (readonly Step[])[]): Promise<Counterexample | undefined> {
  const retrace = async (steps: readonly Step[]): Promise<{ deviations: Schedule; outcome: Outcome }> => {
    const engine = make()
    const director = new Retrace(engine.taskNames, steps)
    const outcome = await engine.run(director, { patient: true })
    return { deviations: director.deviations, outcome }
  }
  const fails = async (schedules: readonly Schedule[]): Promise<boolean> => {
    const { outcome } = await follow(make(), schedules)
    return outcome.failure?.code === failure.code
  }
  const { deviations } = await retrace(choices)
  let lead: readonly Schedule[] = []
  if (!(await fails([deviations]))) {
    const taught: Schedule[] = []
    for (const steps of before) taught.push((await retrace(steps)).deviations)
    if (!(await fails([...taught, deviations]))) return undefined
    lead = await minimise<Schedule>(taught, (some) => fails([...some, deviations]))
  }
  const alone = (some: Schedule): Promise<boolean> => fails([...lead, some])
  let smallest = await shorten(await minimise(deviations, alone), choices, alone)
  for (;;) {
    // Another order of the same execution may be nearer to the default.
    const engine = make()
    await follow(engine, [...lead, smallest], { record: true })
    const other = (await retrace(named(linearise(engine.trace), engine.taskNames))).deviations
    if (other.length >= smallest.length || !(await alone(other))) return replayed(make, [...lead, smallest])
    smallest = await shorten(await minimise(other, alone), choices, alone)
  }
}

/** Replays that {@link shorten} may try. */
const ATTEMPTS = 4000

/** Tries to make one deviation do for several that follow each other: what is minimal for `minimise` need not be short. */
async function shorten(deviations: Schedule, choices: readonly Step[], fails: (some: Schedule) => Promise<boolean>): Promise<Schedule> {
  const tasks = [...new Set(choices.map(({ task }) => task))]
  let attempts = 0
  for (let size = deviations.length; size > 1; size--) {
    for (let from = 0; from + size <= deviations.length; from++) {
      const [before, after] = [deviations.slice(0, from), deviations.slice(from + size)]
      const end = after[0]?.step ?? choices.length
      for (let step = (before.at(-1)?.step ?? -1) + 1; step < end; step++) {
        for (const task of tasks) {
          if (++attempts > ATTEMPTS) return deviations
          const shorter = [...before, { step, task }, ...after]
          if (await fails(shorter)) return shorten(await minimise(shorter, fails), choices, fails)
        }
      }
    }
  }
  return deviations
}

/**
 * Runs schedules and describes how the last one fails.
 * @returns undefined when it does not
 * @throws EINVAL when it does not because they ask for what cannot be done
 */
export async function replayed(make: MakeEngine, schedules: readonly Schedule[]): Promise<Counterexample | undefined> {
  const engine = make()
  const witness = new SiteWitness()
  const { outcome, followed, missed } = await witness.watch(() => follow(engine, schedules, { record: true, witness }))
  const { failure } = outcome
  if (!failure) {
    const [first] = missed
    if (first) throw new MmuNotifierError('EINVAL', `EINVAL  no switch to ${first.task} at step ${first.step}, which the token asks for: it is of another scenario, or of this one before it was changed`)
    return undefined
  }
  const deviations = followed.at(-1) ?? []
  const token = formatToken({ fingerprint: await fingerprint(make), schedules: followed, maxSteps: failure.code === 'LIVELOCK' ? engine.maxSteps : undefined })
  const steps = stepsOf({ trace: engine.trace, taskNames: engine.taskNames, failure, deviations, sites: witness.sites, notes: witness.notes })
  return { ...failure, token, deviations, steps }
}
